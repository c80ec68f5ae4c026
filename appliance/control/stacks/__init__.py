"""Stacks: manifests that lie in a folder of the server are applied, and pruned when they go."""
