"""appliance usage: what takes room in the store."""

from typing import Any

import click

from appliance.assembly.upkeep import past
from appliance.cli.options import DATASTORE, config_from, configured
from appliance.cli.output import output_option, show
from appliance.cli.upkeep import SPAN, faults_told
from appliance.store.base import FROM_KEY
from appliance.store.upkeep.span import Span

_COLUMNS = {
    "PREFIX": "prefix",
    "KEYS": "keys",
    "BYTES": "current_bytes",
    "QUOTA": "quota_bytes",
    "CHANGES KEPT": "changes",
    "BYTES KEPT": "kept_bytes",
}


@click.command(epilog="Example:  appliance usage pods --depth 3")
@click.argument("what", type=SPAN, required=False)
@click.option("--depth", default=2, type=click.IntRange(1), help="Parts of a prefix.  [default: 2]")
@output_option
@configured("server", "data-dir", *DATASTORE)
@faults_told
def command(what: Span | None, depth: int, output: str, **flags: Any) -> None:
    """Sum up keys and bytes by prefix, the largest first; without WHAT, of all keys."""
    span = what or (FROM_KEY, FROM_KEY)
    show(past.used(config_from("server", flags), span, depth=depth), _COLUMNS, output)
