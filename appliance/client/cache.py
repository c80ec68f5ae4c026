"""Indexed read-only objects by key, as an informer keeps them.

Keys are `namespace/name`, or `name` for kinds without namespaces. Objects that come from a cache
are shared: never change them, `clone` first. It holds what the server holds, nothing more: the
informer takes out what is gone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic

from appliance.api.kind import T
from appliance.api.objects import key_of, split_key

__all__ = ["Cache", "Indexer", "key_of", "split_key"]

Indexer = Callable[[T], Iterable[str]]


class Cache(Generic[T]):
    """The newest known state of many objects."""

    def __init__(self, indexers: Mapping[str, Indexer[T]] | None = None) -> None:
        self._objects: dict[str, T] = {}
        self._by_namespace: dict[str, dict[str, None]] = {}
        self._indexers: dict[str, Indexer[T]] = {}
        # index name -> value -> keys; dicts of None are sets that keep their order
        self._indexes: dict[str, dict[str, dict[str, None]]] = {}
        self.add_indexers(indexers or {})

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._objects)

    def add_indexers(self, indexers: Mapping[str, Indexer[T]]) -> None:
        """Add named indexes over what is there and what will come."""
        for name, indexer in indexers.items():
            if name in self._indexers:
                continue  # several loops may ask for the same index of a shared cache
            self._indexers[name] = indexer
            index = self._indexes.setdefault(name, {})
            for key, obj in self._objects.items():
                for value in indexer(obj):
                    index.setdefault(value, {})[key] = None

    def get(self, key: str) -> T | None:
        """The object, if it is known."""
        return self._objects.get(key)

    def keys(self) -> tuple[str, ...]:
        """Keys of all objects."""
        return tuple(self._objects)

    def by_index(self, index: str, value: str) -> Sequence[T]:
        """Objects for which the indexer of that name gave `value`."""
        return [self._objects[key] for key in self._indexes[index].get(value, ())]

    def upsert(self, obj: T) -> T | None:
        """Put in an object; returns the one before it."""
        key = key_of(obj)
        old = self._objects.get(key)
        if old is not None:
            self._unindex(key, old)
        self._objects[key] = obj
        self._by_namespace.setdefault(obj.metadata.namespace, {})[key] = None
        for name, indexer in self._indexers.items():
            for value in indexer(obj):
                self._indexes[name].setdefault(value, {})[key] = None
        return old

    def remove(self, key: str) -> T | None:
        """Take out an object; returns it."""
        old = self._objects.pop(key, None)
        if old is not None:
            self._unindex(key, old)
            _drop(self._by_namespace, old.metadata.namespace, key)
        return old

    def list(self, namespace: str = "") -> list[T]:
        """All objects, or those of one namespace."""
        if not namespace:
            return list(self._objects.values())
        return [self._objects[key] for key in self._by_namespace.get(namespace, ())]

    def _unindex(self, key: str, old: T) -> None:
        for name, indexer in self._indexers.items():
            for value in indexer(old):
                _drop(self._indexes[name], value, key)


def _drop(index: dict[str, dict[str, None]], value: str, key: str) -> None:
    keys = index.get(value)
    if keys is None:
        return
    keys.pop(key, None)
    if not keys:
        del index[value]
