"""appliance store: the store alone, as an etcd endpoint."""

from typing import Any

import click

from appliance.assembly.run import run
from appliance.assembly.store import store_alone
from appliance.cli.options import config_from, configured


@click.command(
    epilog="Example:  appliance store --data-dir /srv/store"
    " --listen-client-urls http://127.0.0.1:2379",
)
@configured("store")
def command(**flags: Any) -> None:
    """Serve etcd clients from a store of its own, in the foreground until SIGTERM."""
    raise SystemExit(run(config_from("store", flags), store_alone, use_uvloop=True))
