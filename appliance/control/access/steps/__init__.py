"""One file per admission step."""
