"""Events about containers that no worker has seen yet.

A container that ends at once may be told as ended while its worker's look, which saw it running,
is still on its way: that word must not be lost, or nobody looks again until the next relist. Kept
are the counts of the last `KEPT` such containers.
"""

KEPT = 1024
START_ONLY = 1
"""The first event of a container says that it started; a second, that it ended."""


class EarlyEvents:
    """How often a container was heard of before it was seen."""

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}

    def note(self, container_id: str) -> None:
        """Something happened to a container that nobody knows."""
        self._heard[container_id] = self._heard.pop(container_id, 0) + 1
        if len(self._heard) > KEPT:
            del self._heard[next(iter(self._heard))]

    def has_ended(self, container_id: str) -> bool:
        """Whether more was heard than its start; asked once, when it is seen for the first time."""
        return self._heard.pop(container_id, 0) > START_ONLY
