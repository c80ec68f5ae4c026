"""What is wrong with this host for a cluster, why it matters, and what to do."""
