"""Lets `python -m appliance` stand for the `appliance` command."""

from appliance.cli.main import main

main()
