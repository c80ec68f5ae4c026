"""appliance server: store, API, scheduler and controllers, with a node agent beside them."""

from typing import Any

import click

from appliance.assembly.run import run
from appliance.assembly.server import master
from appliance.cli.options import config_from, configured


@click.command(
    epilog="Example:  appliance server --data-dir /srv/appliance --node-name pi-1",
    context_settings={"show_default": False},
)
@configured("server")
def command(**flags: Any) -> None:
    """Run a master in the foreground until SIGTERM; pods go on running after it."""
    raise SystemExit(run(config_from("server", flags), master, use_uvloop=True))
