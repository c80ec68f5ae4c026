"""Ways to make services work on a host."""
