"""Which watchers does a key concern? An index from key to those whose range covers it.

Nearly all watches are of one key or of a prefix: both are dictionary look-ups (a prefix watch
is found by cutting the key to each prefix length in use). Other ranges are compared one by one.
Used by `hub`; pure; holds what is added until it is removed.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar

from appliance.store.base import FROM_KEY, NO_END, prefix_end
from appliance.store.mvcc.ranges import covers

Who = TypeVar("Who")


class WatchIndex(Generic[Who]):
    """Ranges with who waits on them."""

    def __init__(self) -> None:
        self._keys: dict[bytes, dict[Who, None]] = {}
        self._prefixes: dict[bytes, dict[Who, None]] = {}
        self._lengths: Counter[int] = Counter()
        self._ranges: dict[tuple[bytes, bytes], dict[Who, None]] = {}

    def add(self, key: bytes, end: bytes, who: Who) -> None:
        """`who` wants the changes of [key, end)."""
        if end == NO_END:
            self._keys.setdefault(key, {})[who] = None
        elif _is_prefix(key, end):
            if key not in self._prefixes:
                self._prefixes[key] = {}
                self._lengths[len(key)] += 1
            self._prefixes[key][who] = None
        else:
            self._ranges.setdefault((key, end), {})[who] = None

    def remove(self, key: bytes, end: bytes, who: Who) -> None:
        """Forget it; nothing happens if it is not there."""
        if end == NO_END:
            _drop(self._keys, key, who)
        elif not _is_prefix(key, end):
            _drop(self._ranges, (key, end), who)
        elif _drop(self._prefixes, key, who):
            self._lengths[len(key)] -= 1
            self._lengths += Counter()  # leaves out the lengths no longer in use

    def match(self, key: bytes) -> Iterator[Who]:
        """Everyone whose range covers `key`, each once per range added."""
        yield from self._keys.get(key, ())
        for length in self._lengths:
            if length <= len(key):
                yield from self._prefixes.get(key[:length], ())
        for (start, end), waiting in self._ranges.items():
            if covers(start, end, key):
                yield from waiting


def _is_prefix(key: bytes, end: bytes) -> bool:
    return end != FROM_KEY and end == prefix_end(key)


Place = TypeVar("Place")


def _drop(places: dict[Place, dict[Who, None]], place: Place, who: Who) -> bool:
    """Take `who` out; says whether the place is empty for it now."""
    waiting = places.get(place)
    if waiting is None:
        return False
    waiting.pop(who, None)
    if waiting:
        return False
    del places[place]
    return True
