"""The `appliance` command: a file per verb, no logic."""
