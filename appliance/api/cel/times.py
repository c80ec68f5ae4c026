"""Timestamps and durations: reading, printing, and their parts."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from appliance.api.cel.values import CelError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"[+-]?(?:\d+(?:\.\d*)?(?:h|ms|us|ns|m|s))+|[+-]?0", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d*)?)(h|ms|us|ns|m|s)", re.ASCII)
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def timestamp(value: Any) -> datetime:
    """Read an RFC 3339 text.

    Raises:
        CelError: it is none.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
    if not isinstance(value, str) or not _STAMP.fullmatch(value):
        raise CelError(f"invalid timestamp: {value}")
    text = re.sub(r"(\.\d{1,6})\d*", r"\1", value.upper())
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CelError(f"invalid timestamp: {value}") from error


def duration(value: Any) -> timedelta:
    """Read a text such as 1h30m.

    Raises:
        CelError: it is none.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise CelError(f"invalid duration: {value}")
    seconds = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(value))
    try:
        found = timedelta(seconds=seconds)
    except OverflowError as error:
        raise CelError(f"invalid duration: {value}") from error
    return -found if value.startswith("-") else found


def print_duration(value: timedelta) -> str:
    """As seconds: 5400s."""
    return f"{value.total_seconds():f}".rstrip("0").rstrip(".") + "s"


def print_timestamp(value: datetime) -> str:
    """As RFC 3339."""
    return value.isoformat().replace("+00:00", "Z")


def _zone(name: Any) -> tzinfo:
    if not isinstance(name, str):
        raise CelError("no such overload")
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CelError(f"unknown time zone {name}") from error


def _of_stamp(part: Callable[[datetime], int]) -> Callable[..., Any]:
    def read(value: Any, *zone: Any) -> int:
        if not isinstance(value, datetime) or len(zone) > 1:
            raise CelError("no such overload")
        return part(value.astimezone(_zone(zone[0])) if zone else value)

    return read


def _of_both(seconds: float, part: Callable[[datetime], int]) -> Callable[..., Any]:
    stamp = _of_stamp(part)

    def read(value: Any, *zone: Any) -> int:
        if isinstance(value, timedelta) and not zone:
            return int(value.total_seconds() / seconds)
        found: int = stamp(value, *zone)
        return found

    return read


def _milliseconds(value: Any, *zone: Any) -> int:
    if isinstance(value, timedelta) and not zone:
        return int(value / timedelta(milliseconds=1)) % 1000
    found: int = _of_stamp(lambda t: t.microsecond // 1000)(value, *zone)
    return found


METHODS: dict[str, Callable[..., Any]] = {
    "getFullYear": _of_stamp(lambda t: t.year),
    "getMonth": _of_stamp(lambda t: t.month - 1),
    "getDate": _of_stamp(lambda t: t.day),
    "getDayOfMonth": _of_stamp(lambda t: t.day - 1),
    "getDayOfWeek": _of_stamp(lambda t: (t.weekday() + 1) % 7),
    "getDayOfYear": _of_stamp(lambda t: t.timetuple().tm_yday - 1),
    "getHours": _of_both(3600, lambda t: t.hour),
    "getMinutes": _of_both(60, lambda t: t.minute),
    "getSeconds": _of_both(1, lambda t: t.second),
    "getMilliseconds": _milliseconds,
}
