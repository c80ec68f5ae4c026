"""appliance token: make, list and delete the tokens by which hosts join."""

import asyncio
import dataclasses
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import click

from appliance.assembly import tokens
from appliance.cli.options import FAILED, config_from, configured
from appliance.cli.output import output_option, show_plain, table
from appliance.kit.clock import SystemClock
from appliance.kit.durations import seconds

R = TypeVar("R")


@click.group(epilog="Example:  appliance token create --ttl 1h --description 'the attic'")
def command() -> None:
    """Make, list and delete the tokens by which hosts join (on the master)."""


@command.command(epilog="Example:  appliance join pi-1 --token $(appliance token create)")
@click.option("--ttl", default="24h", help="How long it is good; 0s is for ever.  [default: 24h]")
@click.option("--description", default="", help="What it is for.")
@output_option
@configured("server", "data-dir")
def create(ttl: str, description: str, output: str, **flags: Any) -> None:
    """Make a token and print it; it can't be shown again."""
    try:
        ttl_s = seconds(ttl)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--ttl") from wrong
    config = config_from("server", flags)
    made = _run(tokens.create(config, SystemClock(), ttl_s=ttl_s, description=description))
    if output == "table":
        click.echo(made.token)
    else:
        show_plain(dataclasses.asdict(made), output)


@command.command(name="list", epilog="Example:  appliance token list -o json")
@output_option
@configured("server", "data-dir")
def list_(output: str, **flags: Any) -> None:
    """List tokens; their secrets are not kept anywhere."""
    found = _run(tokens.known(config_from("server", flags), SystemClock()))
    if output == "table":
        click.echo(_table(found))
    else:
        show_plain([dataclasses.asdict(one) for one in found], output)


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
    rows = [
        (one.id, (one.expires or "never") + (" (expired)" if one.expired else ""), one.description)
        for one in found
    ]
    return table(("ID", "EXPIRES", "DESCRIPTION"), rows)
