"""appliance rewind: make objects what they were."""

import asyncio
from typing import Any

import click

from appliance.assembly.upkeep import past
from appliance.cli.options import DATASTORE, config_from, configured
from appliance.cli.output import output_option
from appliance.cli.upkeep import (
    SPAN,
    dry_run_option,
    faults_told,
    moment,
    show_outcome,
    when_options,
)
from appliance.kit.clock import SystemClock
from appliance.store.upkeep.span import Span


@click.command(epilog="Example:  appliance rewind configmaps/default --to-time 2h --dry-run")
@click.argument("what", type=SPAN)
@when_options
@dry_run_option
@output_option
@configured("server", "data-dir", *DATASTORE, "etcd-listen-client-urls")
@faults_told
def command(
    *, what: Span, to_revision: int | None, to_time: str, dry_run: bool, output: str, **flags: Any
) -> None:
    """Make WHAT it was: changed objects change back, deleted ones return, newer ones go.

    All of it is one change, and none if somebody else writes there meanwhile.
    """
    clock = SystemClock()
    to = moment(to_revision, to_time, clock)
    if to is None:
        raise click.UsageError("say when: --to-revision or --to-time")
    config = config_from("server", flags)
    outcome = asyncio.run(past.rewind(config, clock, what, to=to, dry_run=dry_run))
    show_outcome(outcome, output, dry_run=dry_run)
