"""Notes: small named values that a store keeps beside its keys.

Users, roles and alarms are such notes: clients must not find them among the keys, and changing
one gives no revision. Stores that can keep them are `Notes`; `serve` asks with `isinstance`.
Bounded by what administrators write.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class Notes(Protocol):
    """A store that keeps notes; a book is a namespace of them."""

    async def notes(self, book: str) -> dict[str, bytes]:
        """All notes of a book."""
        ...

    async def write_notes(self, book: str, changes: Mapping[str, bytes | None]) -> None:
        """Set notes (None removes one), all or nothing; returns when they are durable."""
        ...
