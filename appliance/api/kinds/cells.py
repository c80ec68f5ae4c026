"""Bits of text that the tables of many kinds share. Called by `cells` functions only."""

from collections.abc import Iterable, Mapping

from appliance.api.ages import since
from appliance.api.meta import KubeObject

NONE = "<none>"
SHOWN = 3
"""Addresses and ports that a cell lists before it only counts the rest."""


def age(obj: KubeObject, now: float) -> str:
    """Print the age of an object."""
    return since(obj.metadata.creationTimestamp, now)


def pairs(labels: Mapping[str, str]) -> str:
    """`a=b,c=d`, sorted, or `<none>`."""
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items())) or NONE


def first_few(items: Iterable[str], empty: str) -> str:
    """`a,b,c + 2 more...`; `empty` where there is nothing."""
    every = list(items)
    text = ",".join(every[:SHOWN]) or empty
    return f"{text} + {len(every) - SHOWN} more..." if len(every) > SHOWN else text
