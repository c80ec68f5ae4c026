"""How often each method was called and how its calls ended; plain numbers, for /metrics.

One `Tallies` belongs to a server; its connections count. Bounded: a tally a method.
"""

from collections import Counter

from appliance.store.serve.status import Status


class Tally:
    """One method."""

    __slots__ = ("failed", "ok", "received", "sent", "started")

    def __init__(self) -> None:
        self.started = 0
        self.ok = 0
        self.failed: Counter[Status] = Counter()
        self.received = 0
        """Messages of streams; those of other calls follow from how these ended."""
        self.sent = 0


class Tallies:
    """All methods, bytes of all connections, and what watches there are."""

    def __init__(self) -> None:
        self.received_bytes = 0
        self.sent_bytes = 0
        self.streams = 0
        """Of watches, now."""
        self.watches = 0
        """Now."""
        self.events = 0
        """That watches were sent."""
        self._of: dict[str, Tally] = {}

    def of(self, path: str) -> Tally:
        """A method's, by its path."""
        return self._of.setdefault(path, Tally())

    def all(self) -> dict[str, Tally]:
        """By path."""
        return dict(sorted(self._of.items()))

    def ok(self, path: str) -> int:
        """How many calls ended well."""
        found = self._of.get(path)
        return 0 if found is None else found.ok
