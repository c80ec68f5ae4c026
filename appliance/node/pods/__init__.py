"""Pods on this node: decide what to do (pure), do it, say what is."""
