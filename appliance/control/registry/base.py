"""Values that cross the registry's door, and the protocol of the registry itself.

`control/http` and `control/local` call a `Registry`; nobody else writes Kubernetes keys.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

from appliance.api.kind import Kind, T
from appliance.api.meta import DeleteOptions
from appliance.client.base import EventType, PatchType


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""


@dataclass(slots=True, kw_only=True)
class Call:
    """Circumstances of one request; `warnings` collects what to tell the user (Warning header)."""

    user: User
    dry_run: bool = False
    field_manager: str = ""
    force: bool = False
    """Server-side apply takes over fields that others own."""
    field_validation: str = "Warn"
    """Strict, Warn or Ignore: what to do about unknown and duplicate fields."""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """An object at one revision: typed, and as the JSON bytes that are sent, made once.

    The bytes carry kind, apiVersion and metadata.resourceVersion. Shared: never change `obj`.
    """

    obj: T
    json: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class StoredPage(Generic[T]):
    """A list, or a page of it, at `revision`; `remaining` is None where it is not known."""

    items: list[Stored[T]]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent(Generic[T]):
    """A change as a watcher sees it. A bookmark has an empty object and the revision."""

    type: EventType
    item: Stored[T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to list or watch; selectors as the user wrote them."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    bookmarks: bool = False
    initial_events: bool | None = None
    """sendInitialEvents: ADDED for what exists, then a bookmark that says so (KEP-3157)."""


class Registry(Protocol):
    """Every verb on every kind. Failures are `api.errors`."""

    async def get(self, kind: Kind[T], namespace: str, name: str) -> Stored[T]:
        """Read one object, at least as new as every acknowledged write."""
        ...

    async def list(self, kind: Kind[T], query: Query) -> StoredPage[T]:
        """Read what matches, sorted by namespace and name."""
        ...

    def watch(self, kind: Kind[T], query: Query) -> AsyncIterator[StoredEvent[T]]:
        """Follow changes; the caller ends it by closing the iterator.

        Without resource_version (or "0") what exists comes first as ADDED.

        Raises:
            Expired: the revision is compacted or the watcher fell behind.
        """
        ...

    async def create(self, kind: Kind[T], obj: T, *, namespace: str, call: Call) -> Stored[T]:
        """Default, admit, validate and store a new object."""
        ...

    async def update(
        self, kind: Kind[T], obj: T, *, namespace: str, name: str, call: Call, subresource: str = ""
    ) -> tuple[Stored[T], bool]:
        """Replace an object; True where that created it (PUT of kinds that allow it)."""
        ...

    async def patch(
        self,
        kind: Kind[T],
        *,
        namespace: str,
        name: str,
        how: PatchType,
        body: Any,
        call: Call,
        subresource: str = "",
    ) -> tuple[Stored[T], bool]:
        """Change parts; `body` is plain JSON data; True where an apply created it."""
        ...

    async def delete(
        self, kind: Kind[T], *, namespace: str, name: str, options: DeleteOptions, call: Call
    ) -> tuple[Stored[T], bool]:
        """Delete; False where it waits for grace or finalizers, with its state now."""
        ...

    async def delete_collection(
        self, kind: Kind[T], query: Query, *, options: DeleteOptions, call: Call
    ) -> StoredPage[T]:
        """Delete all that match and return them."""
        ...
