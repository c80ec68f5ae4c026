"""appliance reset: remove what a cluster made on this host."""

import asyncio
import sys
from typing import Any

import click

from appliance.assembly.reset import reset
from appliance.cli.options import FAILED, config_from, configured


@click.command(epilog="Example:  appliance reset --data-dir /srv/appliance --keep-data")
@click.option("--keep-data", is_flag=True, help="Keep the store, certificates and volumes.")
@configured("server", "data-dir", "runtime", "runtime-endpoint")
def command(keep_data: bool, **flags: Any) -> None:
    """Remove containers, links, rules and, unless told otherwise, all data of a cluster."""
    problems = asyncio.run(reset(config_from("server", flags), keep_data=keep_data))
    for problem in problems:
        click.echo(f"appliance: {problem}", err=True)
    if problems:
        sys.exit(FAILED)
