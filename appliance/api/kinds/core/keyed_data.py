"""What config maps and secrets have in common: keyed data, which may be frozen.

Called by the validation of both.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks

SIZE_MAX_BYTES = 1024 * 1024
"""All values of one object together; more would choke store and watchers."""

FROZEN = "field is immutable when `immutable` is set"


def keys(found: Iterable[str], path: str) -> Iterator[Cause]:
    """Check keys: they become names of files."""
    for key in found:
        yield from checks.named(names.config_key, key, f"{path}[{key}]")


def frozen(new: Any, old: Any, fields: Iterable[str]) -> Iterator[Cause]:
    """Refuse changes once `immutable` is true; nor can that be taken back."""
    if not old.immutable:
        return
    if not new.immutable:
        yield faults.forbidden("immutable", FROZEN)
    for name in fields:
        if getattr(new, name) != getattr(old, name):
            yield faults.forbidden(name, FROZEN)
