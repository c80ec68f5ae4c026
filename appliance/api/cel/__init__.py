"""The Common Expression Language, as Kubernetes uses it: rules of schemas, admission policies."""
