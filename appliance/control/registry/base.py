"""Values that cross the registry's door, and the protocol of the registry itself.

`control/http` and `control/local` call a `Registry`; nobody else writes Kubernetes keys.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

from appliance.api.kind import Kind, T
from appliance.api.kinds.autoscaling.scale import Scale
from appliance.api.meta import DeleteOptions, KubeObject
from appliance.client.base import EventType, PatchType


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Further facts about the user, such as the id of the credentials."""


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
    notes: dict[str, str] = field(default_factory=dict)
    """What admission noted for the audit log."""
    check_create: Callable[[], Awaitable[None]] | None = None
    """Raises Forbidden where a PUT or an apply would create, and the user may not."""


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


@dataclass(frozen=True, slots=True)
class KindCounts:
    """How much there is of a kind, for metrics."""

    plural: str
    group: str
    objects: int
    watchers: int
    watchers_cut: int
    """Since the start: watchers that did not keep up, or whose history went."""
    reloads: int
    """Since the start: times that the cache had to load anew."""


class Lookup(Protocol):
    """Reads what access control must know, as new as every acknowledged write.

    Objects are shared, never change them.
    """

    async def find(self, kind: Kind[T], namespace: str, name: str) -> T | None:
        """Give the object or None."""
        ...

    async def every(self, kind: Kind[T], namespace: str = "") -> Sequence[T]:
        """Give all objects of a kind, or of a namespace."""
        ...

    def changes(self, kind: Kind[Any]) -> int:
        """Count the changes to objects of a kind.

        What is worked out from all of them holds for as long as the number stays the same.
        """
        ...


class Watch(Protocol[T]):
    """An open watch: iterate for events; `aclose` ends it, safe to call twice."""

    def __aiter__(self) -> AsyncIterator[StoredEvent[T]]: ...

    async def __anext__(self) -> StoredEvent[T]: ...

    def farewell(self) -> StoredEvent[T] | None:
        """A last bookmark, if bookmarks are wanted and the reader has had all up to it.

        Ask after the reader has stopped and before `aclose`: its client goes on from there.
        """
        ...

    async def aclose(self) -> None:
        """End the watch and free its queue."""
        ...


class Registry(Protocol):
    """Every verb on every kind. Failures are `api.errors`."""

    async def get(
        self, kind: Kind[T], namespace: str, name: str, *, resource_version: str = ""
    ) -> Stored[T]:
        """Read one object, at least as new as every acknowledged write.

        Raises:
            NotFound: there is none.
            Timeout: `resource_version` lies in the future.
        """
        ...

    async def get_scale(self, kind: Kind[T], namespace: str, name: str) -> Stored[Scale]:
        """Read the scale of an object (the only sub-resource that reads as another kind)."""
        ...

    async def list(self, kind: Kind[T], query: Query) -> StoredPage[T]:
        """Read what matches, sorted by namespace and name."""
        ...

    def watch(self, kind: Kind[T], query: Query) -> Watch[T]:
        """Follow changes; the caller ends it by `aclose` of the iterator.

        Without resource_version (or "0") what exists comes first as ADDED. Faults of the query
        (BadRequest, Invalid) are raised by the call itself, before any event.

        Raises:
            Expired: (by the iterator) the revision is compacted or the watcher fell behind.
        """
        ...

    async def create(self, kind: Kind[T], obj: T, *, namespace: str, call: Call) -> Stored[T]:
        """Default, admit, validate and store a new object."""
        ...

    async def post(
        self,
        kind: Kind[T],
        obj: KubeObject,
        *,
        namespace: str,
        name: str,
        subresource: str,
        call: Call,
    ) -> None:
        """Carry out a binding or an eviction of `name`; the answer is a plain Success."""
        ...

    async def update(
        self, kind: Kind[T], obj: T, *, namespace: str, name: str, call: Call, subresource: str = ""
    ) -> tuple[Stored[T], bool]:
        """Replace an object; True where that created it (PUT of kinds that allow it).

        Sub-resource scale takes and gives a `Scale`: pass `kind` and `obj` as Any there.
        """
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

    def counts(self) -> Sequence[KindCounts]:
        """Figures of the kinds that were asked for so far."""
        ...

    @property
    def lookup(self) -> Lookup:
        """Plain reads for access control."""
        ...
