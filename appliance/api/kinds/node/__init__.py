"""Kinds of the group node."""
