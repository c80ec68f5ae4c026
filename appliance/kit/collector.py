"""The cycle collector of a process that keeps many long-lived objects.

Python looks for cycles after every 700 new containers by default. Reading 5,000 pods makes some
hundred thousand at once and no cycle among them: the looking then takes four times as long as
the reading. Called once at start by `assembly.run`, when everything has been imported.
"""

import gc

YOUNG = 50_000
"""New containers before a look at the young ones; a burst of that many is a few MB."""
MIDDLE, OLD = 20, 100
"""Looks at one generation before one at the next."""


def relax() -> None:
    """Leave out what imports have made, and look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
