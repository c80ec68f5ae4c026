"""appliance sql: questions over the current objects."""

from typing import Any

import click

from appliance.assembly.upkeep import past
from appliance.cli.options import DATASTORE, config_from, configured
from appliance.cli.output import output_option, show_plain, table
from appliance.cli.upkeep import faults_told

_EXAMPLE = "Example:  appliance sql \"SELECT namespace, name FROM pods WHERE node = 'pi-2'\""


@click.command(epilog=_EXAMPLE)
@click.argument("question")
@output_option
@configured("server", "data-dir", *DATASTORE)
@faults_told
def command(question: str, output: str, **flags: Any) -> None:
    """Answer a QUESTION in SQL; it can't change anything.

    Every kind is a table (pods, services, deployments, …) with namespace, name, uid, created,
    labels, owner, revision and object (JSON, for json_extract); pods have phase, node, ip, image
    as well. `revisions` and `current_keys` are the store's own tables.
    """
    columns, rows = past.ask(config_from("server", flags), question)
    if output == "table":
        click.echo(table(columns, rows))
    else:
        show_plain([dict(zip(columns, row, strict=True)) for row in rows], output)
