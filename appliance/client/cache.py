"""Indexed read-only objects by key, as an informer keeps them.

Keys are `namespace/name`, or `name` for kinds without namespaces. Objects that come from a cache
are shared: never change them, `clone` first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic

from appliance.api.kind import T
from appliance.api.meta import KubeObject

Indexer = Callable[[T], Iterable[str]]


def key_of(obj: KubeObject) -> str:
    """`namespace/name`, or `name`."""
    meta = obj.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def split_key(key: str) -> tuple[str, str]:
    """Namespace ("" if there is none) and name of a key."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


class Cache(Generic[T]):
    """The newest known state of many objects."""

    def __init__(self, indexers: Mapping[str, Indexer[T]] | None = None) -> None:
        raise NotImplementedError

    def get(self, key: str) -> T | None:
        """The object, if it is known."""
        raise NotImplementedError

    def by_index(self, index: str, value: str) -> Sequence[T]:
        """Objects for which the indexer of that name gave `value`."""
        raise NotImplementedError

    def upsert(self, obj: T) -> T | None:
        """Put in an object; returns the one before it."""
        raise NotImplementedError

    def remove(self, key: str) -> T | None:
        """Take out an object; returns it."""
        raise NotImplementedError

    def list(self, namespace: str = "") -> list[T]:
        """All objects, or those of one namespace."""
        raise NotImplementedError
