"""Rows for people, objects for scripts: the one way in which verbs print data."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import click
import yaml

from appliance.kit import jsonio

FORMATS = ("table", "json", "yaml")

output_option = click.option(
    "-o", "--output", type=click.Choice(FORMATS), default="table", help="Format."
)


def show(rows: Sequence[Any], columns: Mapping[str, str], output: str) -> None:
    """Print dataclasses: as JSON or YAML whole, as a table the columns {heading: attribute}."""
    if output == "table":
        click.echo(table([*columns], [[getattr(r, c) for c in columns.values()] for r in rows]))
    else:
        show_plain([dataclasses.asdict(row) for row in rows], output)


def show_plain(data: Any, output: str) -> None:
    """Print JSON or YAML."""
    if output == "json":
        click.echo(jsonio.pretty(data))
    else:
        click.echo(str(yaml.safe_dump(jsonio.loads(jsonio.dumps(data)), sort_keys=False)).rstrip())


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns that line up; None is shown as nothing."""
    cells = [[*headings], *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)
