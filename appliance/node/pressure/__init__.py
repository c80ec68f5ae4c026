"""What the node has left, and what it does when that is little."""
