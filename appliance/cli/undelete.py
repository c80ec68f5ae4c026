"""appliance undelete: bring back what was deleted."""

import asyncio
from typing import Any

import click

from appliance.assembly.upkeep import past
from appliance.cli.options import DATASTORE, config_from, configured
from appliance.cli.output import output_option
from appliance.cli.upkeep import SPAN, dry_run_option, faults_told, show_outcome
from appliance.kit.clock import SystemClock
from appliance.store.upkeep.span import Span


@click.command(epilog="Example:  appliance undelete configmaps/default/settings")
@click.argument("what", type=SPAN)
@dry_run_option
@output_option
@configured("server", "data-dir", *DATASTORE, "etcd-listen-client-urls")
@faults_told
def command(what: Span, dry_run: bool, output: str, **flags: Any) -> None:
    """Bring back WHAT was deleted, as it was last: KIND/NAMESPACE/NAME, less of it, or a key.

    What is there now stays as it is. All of it is one change.
    """
    config = config_from("server", flags)
    outcome = asyncio.run(past.undelete(config, SystemClock(), what, dry_run=dry_run))
    show_outcome(outcome, output, dry_run=dry_run)
