"""appliance restore: a cluster out of a backup, or out of a snapshot of etcd."""

from pathlib import Path
from typing import Any

import click

from appliance.assembly.upkeep.backups import restore
from appliance.cli.options import config_from, configured
from appliance.cli.upkeep import faults_told, moment, when_options
from appliance.kit.clock import SystemClock


@click.command(
    epilog="Example:  appliance restore /mnt/usb/jan.appliance --to-time 2026-01-30T18:00:00Z"
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@when_options
@click.option(
    "--without-auth", is_flag=True, help="Leave out an etcd's users and roles, and check no calls."
)
@configured("server", "data-dir")
@faults_told
def command(
    *, file: Path, to_revision: int | None, to_time: str, without_auth: bool, **flags: Any
) -> None:
    """Fill an empty data directory from FILE: of `appliance backup`, or `etcdctl snapshot save`.

    Then start the server as before. Clients notice that time went back and list anew.
    """
    clock = SystemClock()
    when = moment(to_revision, to_time, clock)
    done = restore(config_from("server", flags), clock, file, to=when, auth=not without_auth)
    click.echo(f"{done.file}: as of revision {done.revision}; start the server with this data-dir")
