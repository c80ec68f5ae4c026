"""appliance store: the store alone, as an etcd endpoint."""

from typing import Any

import click

from appliance.assembly.run import run
from appliance.assembly.store import store_alone
from appliance.cli.options import config_from, configured

# Command lines of a real etcd have them; a member without peers has no use for them.
_OF_PEERS = (
    "listen-peer-urls",
    "initial-advertise-peer-urls",
    "initial-cluster",
    "initial-cluster-state",
    "initial-cluster-token",
    "peer-cert-file",
    "peer-key-file",
    "peer-trusted-ca-file",
)


def _with_peers(command: Any) -> Any:
    """Take the flags that are about peers, for nothing."""
    for name in _OF_PEERS:
        command = click.option(f"--{name}", hidden=True, default=None)(command)
    return click.option("--peer-client-cert-auth", hidden=True, is_flag=True)(command)


@click.command(
    epilog="Example:  appliance store --data-dir /srv/store"
    " --listen-client-urls http://127.0.0.1:2379",
)
@configured("store")
@_with_peers
def command(**flags: Any) -> None:
    """Serve etcd clients from a store of its own, in the foreground until SIGTERM."""
    raise SystemExit(run(config_from("store", flags), store_alone, use_uvloop=True))
