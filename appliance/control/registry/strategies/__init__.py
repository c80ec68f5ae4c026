"""One file per kind that is written differently; the list of them is in `strategies/table.py`."""
