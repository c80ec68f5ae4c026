"""Catalog: all kinds that the server knows at this moment, built in and users' own.

The HTTP layer finds kinds here; the keeper of definitions (`definitions.py`) puts users' kinds in
and takes them out. `changes` grows with each change, so that whoever makes documents of all
kinds knows when to make them anew. One per server.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from appliance.api.kind import Kind
from appliance.api.kinds.table import KINDS

_Key = tuple[str, str, str]


class Catalog:
    """Kinds by group, version and plural."""

    def __init__(self, built_in: Sequence[Kind[Any]] = KINDS) -> None:
        self._built_in = {_key(kind): kind for kind in built_in}
        self._custom: dict[str, tuple[Kind[Any], ...]] = {}
        self._found: dict[_Key, Kind[Any]] = dict(self._built_in)
        self._named = {(k.api_version, k.kind): k for k in built_in}
        self.custom_groups: frozenset[str] = frozenset()
        """Groups with nothing but users' kinds."""
        self.changes = 0
        self._changed = asyncio.Event()

    async def changed(self, since: int) -> int:
        """Return the count of changes once it is another than `since`."""
        while self.changes == since:
            await self._changed.wait()
        return self.changes

    def find(self, group: str, version: str, plural: str) -> Kind[Any] | None:
        """Find the kind behind a URL's group, version and plural."""
        return self._found.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Kind[Any] | None:
        """Find the kind that an object names itself as."""
        return self._named.get((api_version, kind))

    def kinds(self) -> tuple[Kind[Any], ...]:
        """Every kind; one per version."""
        return tuple(self._found.values())

    def custom(self) -> tuple[Kind[Any], ...]:
        """The kinds of users."""
        return tuple(kind for kinds in self._custom.values() for kind in kinds)

    def put(self, definition: str, kinds: Iterable[Kind[Any]]) -> None:
        """Serve these kinds for a definition from now on; none: no longer."""
        self._custom.pop(definition, None)
        if found := tuple(kinds):
            self._custom[definition] = found
        # What is built in cannot be taken over.
        self._found = {_key(k): k for k in self.custom()} | self._built_in
        self._named = {(k.api_version, k.kind): k for k in self._found.values()}
        groups = {kind.group for kind in self.custom()}
        self.custom_groups = frozenset(groups - {group for group, _, _ in self._built_in})
        self.changes += 1
        self._changed.set()
        self._changed = asyncio.Event()


def _key(kind: Kind[Any]) -> _Key:
    return kind.group, kind.version, kind.plural
