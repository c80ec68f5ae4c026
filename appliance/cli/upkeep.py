"""What the verbs about a store's past share: naming objects and moments, telling faults."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import click
from typing_extensions import override

from appliance.assembly.upkeep.doors import UpkeepFault
from appliance.assembly.upkeep.names import NameFault, span_of
from appliance.assembly.upkeep.past import When
from appliance.cli.options import FAILED
from appliance.cli.output import show_plain
from appliance.kit import log as logs
from appliance.kit.clock import Clock, parse_rfc3339
from appliance.kit.durations import seconds
from appliance.store.errors import StoreError, TooLarge, TooManyOps
from appliance.store.upkeep.span import Span
from appliance.store.upkeep.timetravel import Outcome


class _Span(click.ParamType[Span]):
    name = "what"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        try:
            return span_of(str(value))
        except NameFault as fault:
            self.fail(str(fault), param, ctx)


SPAN = _Span()

dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be written.")


def when_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--to-revision` and `--to-time`."""
    text = "A time (2026-01-31T18:00:00Z), or how long ago (2h)."
    command = click.option("--to-time", default="", help=text)(command)
    return click.option("--to-revision", type=click.IntRange(1), help="A revision.")(command)


def moment(to_revision: int | None, to_time: str, clock: Clock) -> When | None:
    """The moment that was named; None if none was."""
    if to_revision is not None and to_time:
        raise click.UsageError("give --to-revision or --to-time, not both")
    if to_revision is not None:
        return When(revision=to_revision)
    if not to_time:
        return None
    try:
        wall = parse_rfc3339(to_time) if "T" in to_time else clock.wall() - seconds(to_time)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--to-time") from wrong
    return When(wall=wall)


def faults_told(command: Callable[..., None]) -> Callable[..., None]:
    """Print what can't be done and end with code 1."""

    @functools.wraps(command)
    def told(*args: Any, **kwargs: Any) -> None:
        logs.configure("text", "warning")  # what a person asked for is on standard output
        try:
            command(*args, **kwargs)
        except (TooLarge, TooManyOps) as error:
            click.echo(
                f"appliance: {error}: too much for one change of a running server; stop it and"
                " run this again, or name fewer objects",
                err=True,
            )
            sys.exit(FAILED)
        except (StoreError, UpkeepFault, OSError) as error:
            click.echo(f"appliance: {error}", err=True)
            sys.exit(FAILED)

    return told


def show_outcome(outcome: Outcome, output: str, *, dry_run: bool) -> None:
    """What was brought back and taken away."""
    put = [key.decode(errors="backslashreplace") for key in outcome.put]
    deleted = [key.decode(errors="backslashreplace") for key in outcome.deleted]
    if output != "table":
        show_plain({"revision": outcome.revision, "put": put, "deleted": deleted}, output)
        return
    would = "would be " if dry_run else ""
    for key in put:
        click.echo(f"{key} {would}brought back")
    for key in deleted:
        click.echo(f"{key} {would}taken away")
    if not put and not deleted:
        click.echo("nothing has to be changed")
    elif not dry_run:
        click.echo(f"revision {outcome.revision}")
