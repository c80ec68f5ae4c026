"""The `Client` protocol: the one way to reach the API, in-process or over HTTPS.

What every implementation promises (`tests/contract/test_client.py`):

* objects come typed (`Kind.type`) with `metadata.resourceVersion` set; callers never change an
  object they were given, it may be shared with others: copy first (`clone`);
* failures are `appliance.api.errors.ApiError`s, whatever the transport;
* `watch` yields events in the order of revisions, each once, and ends quietly when the server
  ends it; `Expired` means: list again;
* cancelling a call frees what it holds.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from appliance.api.kind import Kind, T

M = TypeVar("M", bound=msgspec.Struct)


class PatchType(StrEnum):
    """Media types of PATCH bodies."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class EventType(StrEnum):
    """What a watch event says."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """One change. A BOOKMARK's object has only a resourceVersion."""

    type: EventType
    object: T


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A list, or a page of it, at one revision."""

    items: list[T]
    resource_version: str
    continue_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which objects: namespace ("" is all), label selector, field selector."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """How to delete; None leaves it to the server."""

    grace_period_s: int | None = None
    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None


EVERYWHERE = Where()
BY_DEFAULT = DeleteOptions()


class Client(Protocol):
    """The seven verbs; `subresource` as an argument."""

    async def get(self, kind: Kind[T], name: str, namespace: str = "") -> T:
        """Read one object.

        Raises:
            NotFound: there is none.
        """
        ...

    async def list(
        self, kind: Kind[T], where: Where = EVERYWHERE, *, limit: int = 0, continue_token: str = ""
    ) -> Page[T]:
        """Read all objects that match, or one page of `limit`."""
        ...

    def watch(
        self, kind: Kind[T], where: Where = EVERYWHERE, *, since: str, timeout_s: int = 300
    ) -> AsyncIterator[WatchEvent[T]]:
        """Follow changes after resourceVersion `since`, with bookmarks.

        Raises:
            Expired: `since` is compacted, or the watcher fell too far behind.
        """
        ...

    async def create(
        self, kind: Kind[T], obj: T, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> T:
        """Store a new object, or post a sub-resource (binding, eviction, token) of `name`.

        A posted TokenRequest comes back with its token: pass `kind` as Any there.

        Raises:
            AlreadyExists: the name is taken.
            Invalid: the object breaks rules.
        """
        ...

    async def update(self, kind: Kind[T], obj: T, *, subresource: str = "") -> T:
        """Replace an object; its resourceVersion must be current.

        Raises:
            Conflict: somebody changed it meanwhile.
        """
        ...

    async def patch(
        self,
        kind: Kind[T],
        name: str,
        body: Any,
        *,
        namespace: str = "",
        how: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> T:
        """Change parts of an object; `body` is plain JSON data."""
        ...

    async def delete(
        self, kind: Kind[T], name: str, *, namespace: str = "", options: DeleteOptions = BY_DEFAULT
    ) -> None:
        """Delete an object, with grace where the kind has it.

        Raises:
            NotFound: there is none.
            Conflict: the preconditions do not hold.
        """
        ...

    async def close(self) -> None:
        """End watches and free connections."""
        ...


def clone(obj: M) -> M:
    """Copy an object deeply, so that the copy may be changed."""
    return msgspec.convert(msgspec.to_builtins(obj), type(obj))
