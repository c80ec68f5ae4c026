"""The loops that make what is be what is wanted; one file per controller, `table.py` lists them."""
