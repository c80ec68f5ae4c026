"""Back-off out of a container's marks and times."""

import pytest

from appliance.node.pods.restarts import due_at, pause_s, runs_again
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, State


def ended(streak: int, ran_s: float = 1.0) -> Container:
    return Container(
        id="x",
        name="x",
        image="i",
        image_id="",
        marks={marks.STREAK: str(streak)},
        state=State.EXITED,
        started_at=1000.0,
        finished_at=1000.0 + ran_s,
    )


@pytest.mark.parametrize(
    ("streak", "expected"),
    [(0, 0), (1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (99, 300)],
)
def test_pauses_double_up_to_five_minutes(streak: int, expected: float) -> None:
    assert pause_s(ended(streak)) == expected


def test_ten_minutes_of_running_earn_a_fresh_start() -> None:
    assert pause_s(ended(6, ran_s=599)) == 300
    assert due_at(ended(6, ran_s=600)) == 1600


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("", 0, True),
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 1, False),
    ],
)
def test_policies(policy: str, code: int, again: bool) -> None:
    assert runs_again(policy, code) is again
