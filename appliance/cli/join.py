"""appliance join: make this host a node of a cluster, and run its agent."""

import asyncio
import sys
from typing import Any

import click

from appliance.assembly.joining import join
from appliance.assembly.run import run
from appliance.assembly.worker import worker
from appliance.cli.options import FAILED, config_from, configured
from appliance.client.joining import (
    ExpiredToken,
    JoinFault,
    MasterUnreachable,
    WrongCa,
    WrongToken,
)
from appliance.config.schema import Config
from appliance.kit.clock import SystemClock
from appliance.kit.durations import seconds

EXIT_CODES: dict[type[JoinFault], int] = {
    WrongToken: 3,
    ExpiredToken: 4,
    WrongCa: 5,
    MasterUnreachable: 6,
}


@click.command(
    epilog="Exit codes: 0 stopped, 1 failed, 2 wrong usage, 3 the master does not know the token, "
    "4 the token has expired, 5 the master's CA is not the token's, 6 the master can't be reached."
    "\n\nExample:  appliance join pi-1 --token K10…::k3x9ab.…",
)
@click.argument("master")
@click.option("--wait", default="0s", help="Keep trying so long while the master can't be reached.")
@configured("agent", exclude=("server",))
def command(master: str, wait: str, **flags: Any) -> None:
    """Join the cluster of MASTER (host, host:port or URL) and run the node agent.

    A token comes from `appliance token create` on the master. It is needed once: later starts use
    the certificates under --data-dir.
    """
    try:
        wait_s = seconds(wait)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--wait") from wrong
    config = config_from("agent", {**flags, "server": master})
    raise SystemExit(run(joined(config, wait_s), worker))


def joined(config: Config, wait_s: float = 0.0) -> Config:
    """Join, or say why not and end with the code for it."""
    try:
        return asyncio.run(join(config, SystemClock(), wait_s=wait_s))
    except JoinFault as fault:
        click.echo(f"appliance: {fault}", err=True)
        sys.exit(EXIT_CODES.get(type(fault), FAILED))
