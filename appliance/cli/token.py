"""appliance token: make, list and delete the tokens by which hosts join."""

import asyncio
import dataclasses
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import click
import yaml

from appliance.assembly import tokens
from appliance.cli.options import FAILED, config_from, configured
from appliance.config.load import seconds
from appliance.kit import jsonio
from appliance.kit.clock import SystemClock

R = TypeVar("R")

_output = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", help="Format."
)


@click.group(epilog="Example:  appliance token create --ttl 1h --description 'the attic'")
def command() -> None:
    """Make, list and delete the tokens by which hosts join (on the master)."""


@command.command(epilog="Example:  appliance join pi-1 --token $(appliance token create)")
@click.option("--ttl", default="24h", help="How long it is good; 0s is for ever.  [default: 24h]")
@click.option("--description", default="", help="What it is for.")
@_output
@configured("server", "data-dir")
def create(ttl: str, description: str, output: str, **flags: Any) -> None:
    """Make a token and print it; it can't be shown again."""
    try:
        ttl_s = seconds(ttl)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--ttl") from wrong
    config = config_from("server", flags)
    made = _run(tokens.create(config, SystemClock(), ttl_s=ttl_s, description=description))
    click.echo(made.token if output == "table" else _FORMATS[output](dataclasses.asdict(made)))


@command.command(name="list", epilog="Example:  appliance token list -o json")
@_output
@configured("server", "data-dir")
def list_(output: str, **flags: Any) -> None:
    """List tokens; their secrets are not kept anywhere."""
    found = _run(tokens.known(config_from("server", flags), SystemClock()))
    if output == "table":
        click.echo(_table(found))
    else:
        click.echo(_FORMATS[output]([dataclasses.asdict(one) for one in found]))


@command.command(epilog="Example:  appliance token delete k3x9ab")
@click.argument("token_id", metavar="ID")
@configured("server", "data-dir")
def delete(token_id: str, **flags: Any) -> None:
    """Delete a token: nobody can join with it any more."""
    _run(tokens.delete(config_from("server", flags), token_id))
    click.echo(f"token {token_id} deleted")


def _run(work: Coroutine[Any, Any, R]) -> R:
    try:
        return asyncio.run(work)
    except tokens.TokenFault as fault:
        click.echo(f"appliance: {fault}", err=True)
        sys.exit(FAILED)


def _table(found: Sequence[tokens.Known]) -> str:
    rows = [("ID", "EXPIRES", "DESCRIPTION")]
    for one in found:
        note = " (expired)" if one.expired else ""
        rows.append((one.id, (one.expires or "never") + note, one.description))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(r, widths, strict=True)) for r in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _yaml(plain: Any) -> str:
    return str(yaml.safe_dump(plain, sort_keys=False)).rstrip()


_FORMATS: dict[str, Callable[[Any], str]] = {"json": jsonio.pretty, "yaml": _yaml}
