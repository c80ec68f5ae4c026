"""Sizes: never too many, never too few, and always an end."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.client.rolling.plan import SURGE, Side, sizes


def test_one_pod_comes_then_one_goes() -> None:
    old, new, steps = Side(wanted=3, available=3), Side(), []
    while (old.wanted, new.wanted) != (0, 3):
        left, come = sizes(old, new, 3)
        steps.append((left, come))
        old, new = Side(wanted=left, available=left), Side(wanted=come, available=come)
    assert steps == [(3, 1), (2, 1), (2, 2), (1, 2), (1, 3), (0, 3)]


def test_nothing_goes_before_its_successor_serves() -> None:
    assert sizes(Side(wanted=3), Side(wanted=1, available=0), 3) == (3, 1)


def test_a_larger_successor_grows_at_once_into_the_room_there_is() -> None:
    assert sizes(Side(wanted=1, available=1), Side(), 5) == (1, 5)


def test_a_smaller_successor_makes_room_first() -> None:
    assert sizes(Side(wanted=6, available=6), Side(), 3) == (3, 0)


def test_nothing_wanted_nothing_kept() -> None:
    assert sizes(Side(wanted=2, available=2), Side(), 0) == (0, 0)


def test_a_successor_that_somebody_scaled_up_comes_back_to_what_is_wanted() -> None:
    assert sizes(Side(wanted=2), Side(wanted=9, available=9), 3) == (2, 3)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.data())
def test_from_any_state_it_ends_within_bounds(
    left: int, come: int, desired: int, data: st.DataObject
) -> None:
    served = min(left + come, desired)
    for _ in range(200):
        available = data.draw(st.integers(0, come)) if come else 0
        before = (left, come)
        left, come = sizes(
            Side(wanted=left, available=left), Side(wanted=come, available=available), desired
        )
        if left < before[0]:
            assert left + available >= desired, "a pod went that was needed"
        if come > before[1]:
            assert left + come <= desired + SURGE or left == 0 or come == before[1]
        if (left, come) == before:  # waits for pods: give it all
            left, come = sizes(
                Side(wanted=left, available=left), Side(wanted=come, available=come), desired
            )
        if (left, come) == (0, desired):
            break
    assert (left, come) == (0, desired)
    assert served <= desired
