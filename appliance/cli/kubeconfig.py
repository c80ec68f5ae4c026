"""appliance kubeconfig: print the administrator's kubeconfig, or where it lies."""

import sys
from typing import Any

import click

from appliance.cli.options import FAILED, config_from, configured


@click.command(epilog="Example:  appliance kubeconfig > ~/.kube/config")
@click.option("--path", "path_only", is_flag=True, help="Print the file's path instead.")
@configured("server", "data-dir")
def command(path_only: bool, **flags: Any) -> None:
    """Print the administrator's kubeconfig."""
    path = config_from("server", flags).data / "server" / "admin.kubeconfig"
    if not path.exists():
        click.echo(f"appliance: {path} is not there; start `appliance server` first", err=True)
        sys.exit(FAILED)
    click.echo(path if path_only else path.read_text(), nl=path_only)
