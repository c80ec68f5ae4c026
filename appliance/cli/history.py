"""appliance history: what happened to an object, when, and by whom."""

from typing import Any

import click

from appliance.assembly.upkeep import past
from appliance.cli.options import DATASTORE, config_from, configured
from appliance.cli.output import output_option, show
from appliance.cli.upkeep import SPAN, faults_told
from appliance.store.upkeep.span import Span

_COLUMNS = {
    "REVISION": "revision",
    "TIME": "time",
    "AUTHOR": "author",
    "CHANGE": "change",
    "BYTES": "size_bytes",
    "KEY": "key",
}


@click.command(epilog="Example:  appliance history deployments/default/web -o yaml")
@click.argument("what", type=SPAN)
@click.option("--values", is_flag=True, help="With json or yaml: each version's content, too.")
@output_option
@configured("server", "data-dir", *DATASTORE)
@faults_told
def command(what: Span, values: bool, output: str, **flags: Any) -> None:
    """List all changes of WHAT that are kept: KIND/NAMESPACE/NAME, less of it, or a key."""
    found = past.history(config_from("server", flags), what, values=values)
    show(found, _COLUMNS, output)
