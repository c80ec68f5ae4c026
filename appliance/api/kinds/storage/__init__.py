"""Kinds of the group storage."""
