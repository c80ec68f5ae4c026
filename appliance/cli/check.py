"""appliance check: what is wrong with this host, why it matters, and what to do."""

import asyncio
import dataclasses
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import click

from appliance.assembly.check import check
from appliance.cli.options import FAILED, config_from, configured
from appliance.cli.output import output_option, show_plain
from appliance.host.checks.base import Finding, Level

_WIDTH = 100
_INDENT = " " * 9


@click.command(
    epilog="Exit codes: 0 nothing keeps a cluster from working (there may be warnings), 1 "
    "something does, 2 wrong usage.\n\nExample:  appliance check --server https://pi-1:6443 -o json"
)
@click.option("--server", default="", help="Server to join: compare our clock with its.")
@output_option
@configured(
    "server", "data-dir", "https-listen-port", "kubelet-port", "service-cidr", "cluster-dns",
    "proxy-mode", "runtime",
)  # fmt: skip
def command(server: str, output: str, **flags: Any) -> None:
    """Look at this host before or after a cluster runs on it."""
    found = asyncio.run(check(config_from("server", flags), server=server))
    if output == "table":
        click.echo(_table(found))
    else:
        show_plain({"findings": [dataclasses.asdict(one) for one in found]}, output)
    if any(one.level is Level.FAIL for one in found):
        sys.exit(FAILED)


def _table(found: Sequence[Finding]) -> str:
    lines = []
    for one in found:
        lines.append(f"{one.level.upper():<8} {one.check}: {one.finding}")
        for word, text in (("why", one.why), ("do", one.remedy)):
            if text:
                head = f"{_INDENT}{word}: "
                lines.append(
                    textwrap.fill(text, _WIDTH, initial_indent=head, subsequent_indent=_INDENT)
                )
    return "\n".join(lines)
