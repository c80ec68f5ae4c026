"""The cycle collector of a long-running process."""

import gc
from collections.abc import Iterator

import pytest

from appliance.kit import collector


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_was_imported_is_left_out_and_cycles_are_still_found() -> None:
    collector.relax()
    assert gc.get_threshold()[0] == collector.YOUNG
    assert gc.get_freeze_count() > 0
    ring: list[object] = []
    ring.append(ring)
    del ring
    assert gc.isenabled()
    assert gc.collect() >= 1
