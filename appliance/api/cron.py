"""When a cron job is due: the five fields of cron, and the names such as `@daily`.

`parse` reads a schedule, `Schedule.after` gives the next time that it names. Pure: times are
passed in. Called by the validation of CronJob and by its controller. Errors are worded as users
of Kubernetes know them (robfig/cron, standard form).

    parse("*/15 8-17 * * mon-fri").after(datetime(2026, 1, 2, 17, 50)) -> 2026-01-05 08:00
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_YEARS = 5
"""A schedule that names no time for so long (30 February) names none at all."""


class ScheduleError(ValueError):
    """The text is no schedule; the message says why."""


@dataclass(frozen=True, slots=True)
class _Range:
    low: int
    high: int
    names: dict[str, int]


_MINUTE = _Range(0, 59, {})
_HOUR = _Range(0, 23, {})
_DAY = _Range(1, 31, {})
_MONTH = _Range(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
_WEEKDAY = _Range(0, 6, {name: number for number, name in enumerate(_DAYS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Times that repeat. Where days of month and of week are both restricted, one is enough."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    every: timedelta | None = None
    """`@every 5m`: so long after the time that is asked about."""

    def after(self, moment: datetime) -> datetime | None:
        """The first time after a moment, in the moment's own zone; None if there is none.

        Wall-clock times: one that a change to summer time skips is not due on that day.
        """
        if self.every is not None:
            return moment.replace(microsecond=0) + self.every
        start = moment.replace(second=0, microsecond=0, fold=0)
        day = start.date()
        for _ in range(_YEARS * 366):
            if day.month in self.months and self._is_day(day.day, (day.weekday() + 1) % 7):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        found = datetime(
                            day.year, day.month, day.day, hour, minute, tzinfo=moment.tzinfo
                        )
                        if found > moment and _exists(found):
                            return found
            day += timedelta(days=1)
        return None

    def _is_day(self, day: int, weekday: int) -> bool:
        of_month, of_week = day in self.days, weekday in self.weekdays
        if self.any_day or self.any_weekday:
            return of_month and of_week
        return of_month or of_week


def _exists(wall: datetime) -> bool:
    """Whether clocks ever show this time: spring skips an hour."""
    if wall.tzinfo is None:
        return True
    seconds = wall.timestamp()
    back = datetime.fromtimestamp(seconds, wall.tzinfo)
    return back.replace(fold=0) == wall.replace(fold=0)


def parse(text: str) -> Schedule:
    """Read a schedule.

    Raises:
        ScheduleError: it is none.
    """
    if not text:
        raise ScheduleError("empty spec string")
    if text.startswith("@every "):
        return _interval(text)
    if text.startswith("@"):
        if text not in _NAMED:
            raise ScheduleError(f"unrecognized descriptor: {text}")
        return parse(_NAMED[text])
    fields = text.split()
    if len(fields) != 5:
        listed = " ".join(fields)
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{listed}]")
    minute, hour, day, month, weekday = fields
    return Schedule(
        minutes=_field(minute, _MINUTE),
        hours=_field(hour, _HOUR),
        days=_field(day, _DAY),
        months=_field(month, _MONTH),
        weekdays=_field(weekday, _WEEKDAY),
        any_day=_is_any(day),
        any_weekday=_is_any(weekday),
    )


def _interval(text: str) -> Schedule:
    word = text.removeprefix("@every ")
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    total, number = 0.0, ""
    for char in word:
        if char in units and number:
            total, number = total + float(number) * units[char], ""
        elif char.isdecimal() or char == ".":
            number += char
        else:
            raise ScheduleError(f"failed to parse duration {text}: invalid duration")
    if number or not word:
        raise ScheduleError(f"failed to parse duration {text}: invalid duration")
    none: frozenset[int] = frozenset()
    return Schedule(
        minutes=none,
        hours=none,
        days=none,
        months=none,
        weekdays=none,
        any_day=True,
        any_weekday=True,
        every=timedelta(seconds=max(int(total), 1)),
    )


def _is_any(field: str) -> bool:
    return any(part.split("/")[0] in {"*", "?"} and _step(part) == 1 for part in field.split(","))


def _step(part: str) -> int:
    _, _, step = part.partition("/")
    return int(step) if step.isdecimal() else 1


def _field(text: str, bounds: _Range) -> frozenset[int]:
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        found |= set(_numbers(part, bounds))
    return frozenset(found)


def _numbers(text: str, bounds: _Range) -> Sequence[int]:
    spans = text.split("/")
    if len(spans) > 2:
        raise ScheduleError(f"too many slashes: {text}")
    low, high, is_single = _ends(spans[0], bounds, text)
    step = 1
    if len(spans) == 2:
        step = _number(spans[1])
        high = bounds.high if is_single else high
    if low < bounds.low:
        raise ScheduleError(f"beginning of range ({low}) below minimum ({bounds.low}): {text}")
    if high > bounds.high:
        raise ScheduleError(f"end of range ({high}) above maximum ({bounds.high}): {text}")
    if low > high:
        raise ScheduleError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return range(low, high + 1, step)


def _ends(span: str, bounds: _Range, whole: str) -> tuple[int, int, bool]:
    low, dash, high = span.partition("-")
    if low in {"*", "?"}:
        return bounds.low, bounds.high, False
    if "-" in high:
        raise ScheduleError(f"too many hyphens: {whole}")
    first = _named(low, bounds)
    return first, _named(high, bounds) if dash else first, not dash


def _named(text: str, bounds: _Range) -> int:
    number = bounds.names.get(text.lower())
    return _number(text) if number is None else number


def _number(text: str) -> int:
    if not text.isascii() or not text.removeprefix("-").isdecimal():
        raise ScheduleError(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    if text.startswith("-"):
        raise ScheduleError(f"negative number ({text}) not allowed: {text}")
    return int(text)
