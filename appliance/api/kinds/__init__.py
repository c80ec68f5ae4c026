"""The kinds: a file each, in a folder per API group; `table.py` lists them."""
