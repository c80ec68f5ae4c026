"""The node agent: pods become containers, and what was seen is reported back."""
