"""Finds a node for each pod: pure filters and scores, and a loop that binds."""
