"""Services become rules and names: compile, back ends, DNS."""
