"""Rows and statements, as the writer's parts hand them on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from appliance.store.base import Event

Statement = tuple[str, Sequence[tuple[Any, ...]]]
"""A text and the rows it is run for; no rows: a pragma, run once."""

Row = tuple[int, bytes, int, int, int, int, int, str, bytes]
"""A row of the history, in the order of the table's columns."""


def rows_of(
    changes: Iterable[tuple[int, Event]],
    author: str,
    wall_ms: int,
    *,
    ephemeral: Callable[[bytes], bool],
) -> list[Row]:
    """The rows of changes with their positions, but for those that are kept in memory only."""
    rows: list[Row] = []
    for at, change in changes:
        kv = change.kv
        if not ephemeral(kv.key):
            place, gone = at >> 1, at & 1
            known = (kv.create_revision, kv.version, kv.lease, gone, wall_ms, author)
            rows.append((place, kv.key, *known, kv.value))
    return rows
