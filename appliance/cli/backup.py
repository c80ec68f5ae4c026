"""appliance backup: the whole cluster in one file, while it runs."""

from pathlib import Path
from typing import Any

import click

from appliance.assembly.upkeep.backups import backup
from appliance.cli.options import DATASTORE, config_from, configured
from appliance.cli.upkeep import faults_told
from appliance.kit.clock import SystemClock


@click.command(epilog="Example:  appliance backup /mnt/usb/$(date +%F).appliance")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@configured("server", "data-dir", *DATASTORE)
@faults_told
def command(file: Path, **flags: Any) -> None:
    """Write store, certificates, tokens and manifests to a new FILE; it holds every secret."""
    done = backup(config_from("server", flags), SystemClock(), file)
    click.echo(f"{done.file}: revision {done.revision}, {done.size_bytes} bytes")
