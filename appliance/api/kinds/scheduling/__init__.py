"""Kinds of the group scheduling."""
