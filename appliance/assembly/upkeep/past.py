"""Look into the past of a cluster's store, and bring it back: the work of the verbs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.assembly.upkeep.doors import NODE_LEASES, archive_of, writable
from appliance.assembly.upkeep.pgviews import pg_views
from appliance.assembly.upkeep.views import sqlite_views
from appliance.config.schema import Config
from appliance.kit import jsonio
from appliance.kit.clock import Clock, rfc3339
from appliance.store.prefixquota import BOOK
from appliance.store.upkeep import timetravel
from appliance.store.upkeep.archive import Archive, Change
from appliance.store.upkeep.span import Span
from appliance.store.upkeep.timetravel import NotPossible, Outcome
from appliance.store.upkeep.usage import Usage, usage

VIEWS: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "sqlite": sqlite_views,
    "postgresql": pg_views,
}
"""What makes the tables that questions are about, by the database's language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A change as it is shown; `value` is None for a deletion and when it was not asked for."""

    revision: int
    time: str
    author: str
    key: str
    change: str
    size_bytes: int
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A moment of the past: a revision, or a time in seconds since 1970; one of them."""

    revision: int | None = None
    wall: float | None = None


def history(config: Config, span: Span, *, values: bool) -> list[Seen]:
    """All changes that are kept, oldest first."""
    with archive_of(config) as archive:
        return [_seen(archive, change, values=values) for change in archive.changes(*span)]


def _seen(archive: Archive, change: Change, *, values: bool) -> Seen:
    what = "delete" if change.deleted else "create" if change.version == 1 else "update"
    value = None
    if values and not change.deleted:
        value = _readable(archive.value(change.row))
    return Seen(
        revision=change.revision,
        time=rfc3339(change.wall_ms / 1000),
        author=change.author,
        key=change.key.decode(errors="backslashreplace"),
        change=what,
        size_bytes=change.size_bytes,
        value=value,
    )


def _readable(value: bytes) -> Any:
    try:
        return jsonio.loads(value)
    except ValueError:
        return value.decode(errors="backslashreplace")


def used(config: Config, span: Span, *, depth: int) -> list[Usage]:
    """What takes room, the most first."""
    with archive_of(config) as archive:
        noted = archive.notes(BOOK)
        quotas = {bytes.fromhex(name): int(limit) for name, limit in noted.items()}
        return usage(archive.changes(*span), depth=depth, quotas=quotas)


def ask(config: Config, text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Answer a question in SQL over the current objects."""
    with archive_of(config) as archive:
        return archive.ask(text, VIEWS[archive.dialect]())


async def undelete(config: Config, clock: Clock, span: Span, *, dry_run: bool) -> Outcome:
    """Bring back what was deleted."""
    async with writable(config, clock) as store:
        with archive_of(config) as archive:
            return await timetravel.undelete(
                store, archive, span, usable=_is_whole, dry_run=dry_run
            )


async def rewind(config: Config, clock: Clock, span: Span, *, to: When, dry_run: bool) -> Outcome:
    """Make everything in the span what it was."""
    async with writable(config, clock) as store:
        with archive_of(config) as archive:
            revision = revision_of(archive, to)
            return await timetravel.rewind(
                store, archive, span, to=revision, spared=(NODE_LEASES,), dry_run=dry_run
            )


def revision_of(archive: Archive, when: When) -> int:
    """The revision that was the newest then.

    Raises:
        NotPossible: nothing had been written yet, or what had is not kept.
    """
    if when.revision is not None:
        return when.revision
    revision = archive.at(int((when.wall or 0) * 1000))
    if revision < archive.floor or not revision:
        raise NotPossible(
            f"{rfc3339(when.wall or 0)} is too long ago: the oldest state that is kept is of"
            f" revision {archive.floor}"
        )
    return revision


def _is_whole(value: bytes) -> bool:
    """An object that is not on its way out: what is brought back must not be deleted again."""
    try:
        found = jsonio.loads(value)
    except ValueError:
        return True
    meta = found.get("metadata") if isinstance(found, dict) else None
    return not (isinstance(meta, dict) and meta.get("deletionTimestamp"))
