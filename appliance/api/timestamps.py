"""RFC 3339 times as the API writes them: UTC, whole seconds or six decimals.

The codec puts times of request bodies into this form and words the errors as Go does; loops
that count in seconds use `kit.clock`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from appliance.api.faults import show

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a kind of time is written; `go` is the layout that messages quote."""

    go: str
    decimals: int


SECONDS = Layout("2006-01-02T15:04:05Z07:00", 0)
MICROS = Layout("2006-01-02T15:04:05.000000Z07:00", 6)


def canonical(text: str, layout: Layout) -> str:
    """Put a time into UTC and the precision of `layout`.

    Raises:
        ValueError: worded as Go's time.Parse.
    """
    moment = _read(text, layout)
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if layout.decimals else "%Y-%m-%dT%H:%M:%SZ"
    # strftime does not pad years before 1000
    return moment.strftime(form).rjust(27 if layout.decimals else 20, "0")


def _read(text: str, layout: Layout) -> datetime:
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(_complaint(text, layout))
    fraction = found[7] or ""
    if layout.decimals and len(fraction) != layout.decimals:
        raise ValueError(_complaint(text, layout))
    zone: timezone = UTC
    if found[8] != "Z":
        hours, minutes = int(found[8][1:3]), int(found[8][4:6])
        shift = timedelta(hours=hours, minutes=minutes)
        zone = timezone(-shift if found[8][0] == "-" else shift)
    numbers = [int(part) for part in found.groups()[:6]]
    micros = int((fraction + "000000")[:6])
    try:
        return datetime(*numbers, micros, tzinfo=zone).astimezone(UTC)  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"parsing time {show(text)}: {_out_of_range(numbers)}") from error


def _out_of_range(numbers: list[int]) -> str:
    _, month, day, hour, minute, second = numbers
    checks = (
        ("month", 1 <= month <= 12),
        ("hour", hour < 24),
        ("minute", minute < 60),
        ("second", second < 60),
        ("day", 1 <= day <= 31),
    )
    part = next((name for name, good in checks if not good), "day")
    return f"{part} out of range"


_STEPS = (
    (r"\d{4}", "2006"),
    (r"-", "-"),
    (r"\d\d", "01"),
    (r"-", "-"),
    (r"\d\d", "02"),
    (r"T", "T"),
    (r"\d\d", "15"),
    (r":", ":"),
    (r"\d\d", "04"),
    (r":", ":"),
    (r"\d\d", "05"),
)


def _complaint(text: str, layout: Layout) -> str:
    """Say where the text leaves the layout, as Go's time.Parse does."""
    rest = text
    for pattern, name in _STEPS:
        step = re.match(pattern, rest, re.ASCII)
        if step is None:
            return _message(text, layout, rest, name)
        rest = rest[step.end() :]
    if layout.decimals:
        fraction = re.match(r"\.\d{6}", rest, re.ASCII)
        if fraction is None:
            return _message(text, layout, rest, "." + "0" * layout.decimals)
        rest = rest[fraction.end() :]
    elif fraction := re.match(r"[.,]\d+", rest, re.ASCII):
        rest = rest[fraction.end() :]
    zone = re.match(r"Z|[+-]\d\d:\d\d", rest, re.ASCII)
    if zone is None:
        return _message(text, layout, rest, "Z07:00")
    return f"parsing time {show(text)}: extra text: {show(rest[zone.end() :])}"


def _message(text: str, layout: Layout, rest: str, element: str) -> str:
    quoted = (show(part) for part in (text, layout.go, rest, element))
    whole, form, found, wanted = quoted
    return f"parsing time {whole} as {form}: cannot parse {found} as {wanted}"
