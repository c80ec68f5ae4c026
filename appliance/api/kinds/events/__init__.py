"""Kinds of the group events."""
