import pytest

from appliance.api.ages import human, since

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "<invalid>"),
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (10 * MINUTE - 1, "9m59s"),
        (10 * MINUTE + 1, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 5 * MINUTE, "3h5m"),
        (8 * HOUR + 5 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (48 * HOUR, "2d"),
        (49 * HOUR, "2d1h"),
        (8 * DAY + HOUR, "8d"),
        (2 * 365 * DAY - 1, "729d"),
        (2 * 365 * DAY, "2y"),
        (2 * 365 * DAY + 3 * DAY, "2y3d"),
        (9 * 365 * DAY, "9y"),
    ],
)
def test_the_young_are_shown_finer(seconds: float, text: str) -> None:
    assert human(seconds) == text


def test_a_time_is_shown_as_how_long_ago_it_was() -> None:
    assert since("1970-01-01T00:01:00Z", 90) == "30s"
    assert since("1970-01-01T00:01:00.500000Z", 90) == "29s"
    assert since(None, 90) == "<unknown>"
