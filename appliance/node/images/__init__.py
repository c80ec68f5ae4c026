"""Images that the node makes itself, without a registry."""
