"""When a schedule is due."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from appliance.api.cron import ScheduleError, parse

START = datetime(2026, 1, 2, 17, 50, 30)  # noqa: DTZ001 - a Friday, in whatever zone


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("* * * * *", "2026-01-02 17:51"),
        ("*/15 8-17 * * mon-fri", "2026-01-05 08:00"),
        ("0 0 1 * *", "2026-02-01 00:00"),
        ("30 4 29 2 *", "2028-02-29 04:30"),
        ("0 12 13 * fri", "2026-01-09 12:00"),
        ("0 12 13 * *", "2026-01-13 12:00"),
        ("5/20 18 * * *", "2026-01-02 18:05"),
        ("@daily", "2026-01-03 00:00"),
        ("@every 90s", "2026-01-02 17:52"),
    ],
)
def test_the_next_time(text: str, then: str) -> None:
    found = parse(text).after(START)
    assert found is not None
    assert f"{found:%Y-%m-%d %H:%M}" == then


def test_a_day_that_never_comes_is_never_due() -> None:
    assert parse("0 0 30 2 *").after(START) is None


def test_an_hour_that_the_clocks_skip_is_not_due_on_that_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    found = parse("30 2 * * *").after(datetime(2026, 3, 28, 12, tzinfo=berlin))
    assert found == datetime(2026, 3, 30, 2, 30, tzinfo=berlin)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
        ("61 * * * *", "end of range (61) above maximum (59): 61"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("@never", "unrecognized descriptor: @never"),
        ("@every soon", "failed to parse duration @every soon: invalid duration"),
    ],
)
def test_what_is_no_schedule(text: str, why: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse(text)
    assert str(refused.value) == why
