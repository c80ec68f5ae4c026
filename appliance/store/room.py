"""Whether there is room for more: asked by `serve` of stores that know (`isinstance`)."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Roomy(Protocol):
    """A store that refuses what adds data while its disk is full, and goes on by itself."""

    def is_full(self) -> bool:
        """Whether it does so now; takes a look at the disk if it did."""
        ...
