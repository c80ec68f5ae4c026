"""appliance status: what runs, what is wrong, what to do."""

import asyncio
import dataclasses
import sys
from typing import Any

import click

from appliance.assembly.status import Report, report
from appliance.cli.options import FAILED, config_from, configured
from appliance.cli.output import output_option, show_plain
from appliance.kit.durations import seconds


@click.command(epilog="Example:  appliance status --wait 60s -o json")
@click.option("--wait", default="0s", help="Wait up to so long for everything to be ready.")
@output_option
@configured("server", "data-dir", "disable-agent")
def command(wait: str, output: str, **flags: Any) -> None:
    """Say what runs here; the exit code is 1 when something is wrong."""
    try:
        wait_s = seconds(wait)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--wait") from wrong
    found = asyncio.run(report(config_from("server", flags), wait_s=wait_s))
    if output == "table":
        click.echo(_table(found))
    else:
        show_plain(dataclasses.asdict(found), output)
    if found.problem:
        sys.exit(FAILED)


_WORDS = {True: "ready", False: "NOT READY"}


def _table(found: Report) -> str:
    lines = [
        f"node {n.name}: {_WORDS[n.ready]}  {n.address}  {n.version}  {n.runtime}"
        for n in found.nodes
    ]
    lines.append(f"pods: {found.pods_running} of {found.pods} running")
    if found.problem:
        lines.append(f"problem: {found.problem}")
    return "\n".join(lines)
