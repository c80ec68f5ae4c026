"""Growing pauses between tries, as a pure function of the number of failures."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """`base_s`, doubled with each further failure, up to `maximum_s`, spread by `jitter`."""

    base_s: float = 0.1
    factor: float = 2.0
    maximum_s: float = 10.0
    jitter: float = 0.0

    def delay(self, failures: int, chance: random.Random | None = None) -> float:
        """Seconds to wait after the `failures`-th failure in a row (1 is the first)."""
        if failures <= 0:
            return 0.0
        # the exponent is capped so that a long outage can't overflow the float
        pause = min(self.maximum_s, self.base_s * self.factor ** min(failures - 1, 64))
        if chance is not None and self.jitter:
            pause *= 1.0 + self.jitter * (2.0 * chance.random() - 1.0)
        return pause
