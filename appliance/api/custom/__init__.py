"""Custom resources: kinds that users define while the server runs."""
