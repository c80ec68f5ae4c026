"""A watchable store with etcd v3 semantics. No Kubernetes word in here."""
