"""Group certificates.k8s.io: asking for certificates of the cluster."""
