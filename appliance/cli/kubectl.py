"""appliance kubectl: hand over to a stock kubectl with this cluster's kubeconfig."""

import os
import shutil
import sys
from pathlib import Path

import click

from appliance.cli.options import FAILED, config_from


def stock_kubectl() -> str | None:
    """Path of a stock kubectl: the one beside our Python, else the first on PATH."""
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.exists() else shutil.which("kubectl")


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    epilog="Example:  appliance kubectl get pods -A",
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(args: tuple[str, ...]) -> None:
    """Run kubectl against this host's cluster (data directory from config or environment)."""
    program = stock_kubectl()
    if program is None:
        click.echo("appliance: no kubectl found; install one or put it on PATH", err=True)
        sys.exit(FAILED)
    kubeconfig = config_from("server", {}).data / "server" / "admin.kubeconfig"
    env = {**os.environ, "KUBECONFIG": os.environ.get("KUBECONFIG", str(kubeconfig))}
    os.execve(program, [program, *args], env)  # noqa: S606 - replaces this process, no shell
