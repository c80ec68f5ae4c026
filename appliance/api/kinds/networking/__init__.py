"""Kinds of the group networking."""
