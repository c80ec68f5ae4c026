"""How old things are, as tables print it: `45s`, `3m20s`, `6h`, `12d`.

Called by the columns of kinds; pure, `now` is an argument in seconds since 1970.
Source of the steps: apimachinery `util/duration` (HumanDuration).
"""

from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY

_STEPS = (
    # below this many seconds: print so many of the unit, then so many of the smaller one (0: none)
    (2 * MINUTE, 1, "s", 0, ""),
    (10 * MINUTE, MINUTE, "m", 1, "s"),
    (3 * HOUR, MINUTE, "m", 0, ""),
    (8 * HOUR, HOUR, "h", MINUTE, "m"),
    (2 * DAY, HOUR, "h", 0, ""),
    (8 * DAY, DAY, "d", HOUR, "h"),
    (2 * YEAR, DAY, "d", 0, ""),
    (8 * YEAR, YEAR, "y", DAY, "d"),
)


def human(seconds: float) -> str:
    """Print a duration with one or two units, finer for the young.

    A clock that is up to two seconds ahead of ours is forgiven; more is `<invalid>`.
    """
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole == -1 else "<invalid>"
    for below, unit, name, small, small_name in _STEPS:
        if whole < below:
            text = f"{whole // unit}{name}"
            rest = whole % unit // small if small else 0
            return f"{text}{rest}{small_name}" if rest else text
    return f"{whole // YEAR}y"


def seconds_of(stamp: str) -> float:
    """Read an RFC 3339 time as seconds since 1970."""
    read = datetime.fromisoformat(stamp)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def since(stamp: str | None, now: float) -> str:
    """Print how long ago a time was; `<unknown>` where there is none."""
    return human(now - seconds_of(stamp)) if stamp else "<unknown>"
