"""So many tries per caller and time: one token bucket per key.

Used where strangers may guess. Bounded by `_KEYS` buckets: when there are more callers, the one
unheard of for longest starts anew.
"""

from collections import OrderedDict

from appliance.kit.clock import Clock

_KEYS = 1024


class RateLimit:
    """Each key may try `burst` times at once and `per_s` times a second in the long run."""

    def __init__(self, clock: Clock, *, burst: int, per_s: float) -> None:
        self._clock = clock
        self._burst = burst
        self._per_s = per_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """Seconds until `key` may try again; 0 is now."""
        left = self._left(key)
        return 0.0 if left >= 1 else (1 - left) / self._per_s

    def spend(self, key: str) -> None:
        """Count a try."""
        self._buckets[key] = (self._left(key) - 1, self._clock.monotonic())
        self._buckets.move_to_end(key)
        if len(self._buckets) > _KEYS:
            self._buckets.popitem(last=False)

    def _left(self, key: str) -> float:
        left, since = self._buckets.get(key, (float(self._burst), self._clock.monotonic()))
        return min(self._burst, left + (self._clock.monotonic() - since) * self._per_s)
