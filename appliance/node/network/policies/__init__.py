"""NetworkPolicies become rules of the kernel for the pods of this node."""
