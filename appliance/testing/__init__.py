"""Public API for users' tests: clusters in containers."""
