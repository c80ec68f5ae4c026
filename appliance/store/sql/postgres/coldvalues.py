"""Which current values a master keeps in memory, and which lie in the table alone.

A value is *settled* once compaction has gone past it and nothing newer has taken its place: no
watch will ever replay it, so it is wanted only when somebody reads or changes its key. Settled
values beyond the bound are let go, those first that were not used for longest (*cold*). Who meets
a cold one gets `Cold`, fetches it, and asks again; nothing has happened by then.
"""

from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet


class Cold(Exception):
    """Values that are in the table alone."""

    def __init__(self, positions: AbstractSet[int]) -> None:
        super().__init__(f"{len(positions)} values are in the table alone")
        self.positions = positions

    @property
    def rows(self) -> list[int]:
        """Ids of their rows."""
        return [at >> 1 for at in self.positions]


class Settled:
    """Settled values by position: sizes of those in memory, and which are cold."""

    def __init__(self, bound_bytes: int) -> None:
        self.cold: set[int] = set()
        self._bound_bytes = bound_bytes
        self._sizes: OrderedDict[int, int] = OrderedDict()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self.cold or self._sizes)

    def add(self, at: int, size_bytes: int) -> None:
        """A value in memory has settled, or was fetched."""
        self.cold.discard(at)
        if at not in self._sizes:
            self._sizes[at] = size_bytes
            self._bytes += size_bytes

    def drop(self, at: int) -> None:
        """It is not settled any more, or is gone."""
        self.cold.discard(at)
        self._bytes -= self._sizes.pop(at, 0)

    def used(self, positions: Iterable[int]) -> None:
        """Somebody wants them.

        Raises:
            Cold: some have to be fetched first.
        """
        positions = tuple(positions)
        if cold := self.cold.intersection(positions):
            raise Cold(cold)
        for at in positions:
            if at in self._sizes:
                self._sizes.move_to_end(at)

    def beyond(self) -> Iterable[int]:
        """Let go of what is too much."""
        while self._bytes > self._bound_bytes:
            at, size_bytes = self._sizes.popitem(last=False)
            self._bytes -= size_bytes
            self.cold.add(at)
            yield at
