"""appliance store: the store alone, as an etcd endpoint."""

from typing import Any

import click

from appliance.assembly.run import run
from appliance.assembly.store import store_alone
from appliance.cli.options import config_from, configured

# Command lines of a real etcd have them; a member without peers or raft has no use for them, and
# what they turn on is on anyway.
_OF_ETCD = (
    "listen-peer-urls",
    "initial-advertise-peer-urls",
    "initial-cluster",
    "initial-cluster-state",
    "initial-cluster-token",
    "peer-cert-file",
    "peer-key-file",
    "peer-trusted-ca-file",
    "peer-client-cert-auth",
    "snapshot-count",
    "heartbeat-interval",
    "election-timeout",
    "strict-reconfig-check",
    "logger",
    "log-outputs",
    "enable-v2",
    "pre-vote",
    "max-snapshots",
    "max-wals",
    "experimental-initial-corrupt-check",
    "enable-grpc-gateway",
)


def _as_etcd(command: Any) -> Any:
    """Take these flags, with a value or without, for nothing."""
    for name in _OF_ETCD:
        option = click.option(
            f"--{name}", hidden=True, default=None, is_flag=False, flag_value="true"
        )
        command = option(command)
    return command


@click.command(
    epilog="Example:  appliance store --data-dir /srv/store"
    " --listen-client-urls http://127.0.0.1:2379",
)
@configured("store")
@_as_etcd
def command(**flags: Any) -> None:
    """Serve etcd clients from a store of its own, in the foreground until SIGTERM."""
    raise SystemExit(run(config_from("store", flags), store_alone, use_uvloop=True))
