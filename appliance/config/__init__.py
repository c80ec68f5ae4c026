"""One frozen Config; every key with its origin."""
