"""Keys in byte order: a list of short sorted lists.

One Python list would copy up to 8 bytes per key at each insert (0.5 ms at a million keys);
blocks of a bounded length keep an insert at about a microsecond. Used by `keyindex` only.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from appliance.store.base import FROM_KEY

_BLOCK = 1_024  # keys; a block that has grown to twice this is cut in two


class SortedKeys:
    """An ordered set of keys."""

    def __init__(self) -> None:
        self._blocks: list[list[bytes]] = []
        self._firsts: list[bytes] = []  # the first key of each block

    def load(self, keys: list[bytes]) -> None:
        """Take a sorted list, in place of everything."""
        self._blocks = [keys[at : at + _BLOCK] for at in range(0, len(keys), _BLOCK)]
        self._firsts = [block[0] for block in self._blocks]

    def add(self, key: bytes) -> None:
        """Add a key that is not there."""
        if not self._blocks:
            self._blocks, self._firsts = [[key]], [key]
            return
        at = self._block_of(key)
        block = self._blocks[at]
        insort(block, key)
        self._firsts[at] = block[0]
        if len(block) >= 2 * _BLOCK:
            self._blocks[at : at + 1] = [block[:_BLOCK], block[_BLOCK:]]
            self._firsts.insert(at + 1, block[_BLOCK])

    def remove(self, key: bytes) -> None:
        """Remove a key that is there."""
        at = self._block_of(key)
        block = self._blocks[at]
        del block[bisect_left(block, key)]
        if block:
            self._firsts[at] = block[0]
        else:
            del self._blocks[at], self._firsts[at]

    def between(self, key: bytes, end: bytes) -> Iterator[bytes]:
        """Keys of [key, end), where `end` b"\\0" is the end of all keys."""
        if not self._blocks:
            return
        at = self._block_of(key)
        start = bisect_left(self._blocks[at], key)
        while at < len(self._blocks):
            block = self._blocks[at]
            if end != FROM_KEY and block[-1] >= end:
                yield from block[start : bisect_left(block, end)]
                return
            yield from block[start:] if start else block
            at, start = at + 1, 0

    def count(self, key: bytes, end: bytes) -> int:
        """How many keys are in [key, end); looks at blocks, not keys."""
        if not self._blocks:
            return 0
        upto = len(self) if end == FROM_KEY else self._rank(end)
        return max(0, upto - self._rank(key))

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def _rank(self, key: bytes) -> int:
        """How many keys come before `key`."""
        at = self._block_of(key)
        return sum(map(len, self._blocks[:at])) + bisect_left(self._blocks[at], key)

    def _block_of(self, key: bytes) -> int:
        return max(0, bisect_right(self._firsts, key) - 1)
