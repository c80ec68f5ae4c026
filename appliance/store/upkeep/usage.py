"""What takes room: keys, bytes of what is current, and of all that is kept, by prefix.

Called by `assembly.upkeep` over the changes that an archive reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.store.upkeep.archive import Change


@dataclass(slots=True)
class Usage:
    """Sums of one prefix; sizes are of keys and values, without what the file adds."""

    prefix: str
    keys: int = 0
    current_bytes: int = 0
    changes: int = 0
    kept_bytes: int = 0


def usage(changes: Iterable[Change], *, depth: int) -> list[Usage]:
    """Sums by the first `depth` parts of the keys' paths, the largest first."""
    sums: dict[str, Usage] = {}
    living: dict[bytes, Change] = {}
    for change in changes:
        one = _of(sums, change.key, depth)
        one.changes += 1
        one.kept_bytes += change.size_bytes
        if change.deleted:
            living.pop(change.key, None)
        else:
            living[change.key] = change
    for key, change in living.items():
        one = _of(sums, key, depth)
        one.keys += 1
        one.current_bytes += change.size_bytes
    return sorted(sums.values(), key=lambda one: (-one.kept_bytes, one.prefix))


def _of(sums: dict[str, Usage], key: bytes, depth: int) -> Usage:
    parts = key.decode(errors="backslashreplace").split("/")
    cut = depth + (key[:1] == b"/")  # a leading slash is no part
    prefix = "/".join(parts[:cut]) + ("/" if len(parts) > cut else "")
    return sums.setdefault(prefix, Usage(prefix))
