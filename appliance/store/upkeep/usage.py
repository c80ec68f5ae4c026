"""What takes room: keys, bytes of what is current, and of all that is kept, by prefix.

Called by `assembly.upkeep` over the changes that an archive reads.
"""

from collections.abc import Iterable, Iterator, Mapping
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
    quota_bytes: int | None = None
    """What `--prefix-quota` allows; None: there is none for this prefix."""


def usage(
    changes: Iterable[Change], *, depth: int, quotas: Mapping[bytes, int] | None = None
) -> list[Usage]:
    """Sums by the first `depth` parts of the keys' paths, and by quota, the largest first."""
    sums: dict[str, Usage] = {}
    for prefix, limit in (quotas or {}).items():
        _named(sums, prefix.decode(errors="backslashreplace")).quota_bytes = limit
    living: dict[bytes, Change] = {}
    for change in changes:
        for one in _of(sums, change.key, depth, quotas or {}):
            one.changes += 1
            one.kept_bytes += change.size_bytes
        if change.deleted:
            living.pop(change.key, None)
        else:
            living[change.key] = change
    for key, change in living.items():
        for one in _of(sums, key, depth, quotas or {}):
            one.keys += 1
            one.current_bytes += change.size_bytes
    return sorted(sums.values(), key=lambda one: (-one.kept_bytes, one.prefix))


def _of(
    sums: dict[str, Usage], key: bytes, depth: int, quotas: Mapping[bytes, int]
) -> Iterator[Usage]:
    """The sums that a key is part of."""
    parts = key.decode(errors="backslashreplace").split("/")
    cut = depth + (key[:1] == b"/")  # a leading slash is no part
    prefix = "/".join(parts[:cut]) + ("/" if len(parts) > cut else "")
    yield _named(sums, prefix)
    for other in quotas:
        name = other.decode(errors="backslashreplace")
        if key.startswith(other) and name != prefix:
            yield _named(sums, name)


def _named(sums: dict[str, Usage], prefix: str) -> Usage:
    return sums.setdefault(prefix, Usage(prefix))
