"""Rolling update of replication controllers from the client's side, as kubectl once did it."""
