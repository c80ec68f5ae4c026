"""Whose containers are swept: those of processes of this host that have gone."""

import os
import socket

import pytest

from appliance.testing.leftovers import OWNER, labels, orphaned


def test_what_belongs_to_this_process_is_left_alone() -> None:
    assert not orphaned(labels()[OWNER])


@pytest.mark.parametrize("ticks", ["1", "99999999999"])
def test_a_number_that_was_given_again_is_another_process(ticks: str) -> None:
    assert orphaned(f"{socket.gethostname()}/{os.getpid()}/{ticks}")


def test_a_process_that_has_gone_leaves_orphans() -> None:
    assert orphaned(f"{socket.gethostname()}/4194399/5")


def test_another_host_looks_after_its_own() -> None:
    assert not orphaned("elsewhere/4194399/5")
