"""`auto-compaction-mode` and `auto-compaction-retention`, read as etcd reads them.

Source: etcd server/embed/etcd.go (parseCompactionRetention).
"""

from dataclasses import dataclass

from appliance.kit.durations import seconds

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class AutoCompaction:
    """What is kept: seconds, or revisions; 0 for both: everything."""

    keep_s: float = 0.0
    keep_revisions: int = 0


def auto_compaction(mode: str, retention: str) -> AutoCompaction:
    """A bare number is hours, or revisions in that mode.

    Raises:
        ValueError: it is neither number nor time; the text says what it must be.
    """
    if retention.isdecimal():
        number = int(retention)
        if mode == "revision":
            return AutoCompaction(keep_revisions=number)
        return AutoCompaction(keep_s=number * _HOUR_S)
    if mode == "revision":
        raise ValueError("must be a number of revisions such as 1000")
    try:
        return AutoCompaction(keep_s=seconds(retention))
    except ValueError:
        raise ValueError("must be hours such as 8, or a time such as 30m") from None
