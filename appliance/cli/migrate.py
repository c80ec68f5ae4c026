"""appliance migrate: a stopped server's state into PostgreSQL."""

import asyncio
from typing import Any

import click

from appliance.assembly.migrate import migrate
from appliance.cli.options import DATASTORE, config_from, configured
from appliance.cli.upkeep import faults_told
from appliance.kit.clock import SystemClock


@click.command(
    epilog="Example:  appliance migrate --datastore-endpoint postgresql+psycopg://appliance@db/k8s"
)
@configured("server", "data-dir", *DATASTORE)
@faults_told
def command(**flags: Any) -> None:
    """Copy the state of a stopped server into an empty PostgreSQL database.

    All history and all revisions stay as they are. Then start the server with the same
    --datastore-endpoint; the old file stays where it is.
    """
    done = asyncio.run(migrate(config_from("server", flags), SystemClock()))
    click.echo(f"{done.rows} changes copied; the store is at revision {done.revision}")
