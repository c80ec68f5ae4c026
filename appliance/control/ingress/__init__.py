"""A small ingress controller over HAProxy, off by default (`--ingress haproxy`)."""
