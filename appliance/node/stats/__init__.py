"""What the host and its containers use: read from the kernel when somebody asks."""
