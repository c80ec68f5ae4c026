"""Which pod has which address."""

from pathlib import Path

import pytest

from appliance.node.network.base import NoAddressLeft
from appliance.node.network.ipam import (
    Leases,
    gateway_of,
    next_address,
    read_leases,
    write_leases,
)

CIDR = "10.42.0.0/29"


def test_pods_come_and_go_and_addresses_rest_before_they_are_used_again() -> None:
    leases = Leases(CIDR).with_pod("a").with_pod("b")
    assert leases.addresses == {"a": "10.42.0.2", "b": "10.42.0.3"}

    leases = leases.without({"a"}).with_pod("c")
    assert leases.addresses == {"b": "10.42.0.3", "c": "10.42.0.4"}
    assert leases.with_pod("b") is leases


@pytest.mark.parametrize(
    ("used", "last", "chosen"),
    [
        (set(), "", "10.42.0.2"),
        ({"10.42.0.2"}, "", "10.42.0.3"),
        (set(), "10.42.0.4", "10.42.0.5"),
        (set(), "10.42.0.6", "10.42.0.2"),
        ({"10.42.0.2", "10.42.0.3"}, "10.42.0.6", "10.42.0.4"),
    ],
)
def test_the_choice_goes_around_the_range(used: set[str], last: str, chosen: str) -> None:
    assert next_address(CIDR, used, last) == chosen


def test_network_gateway_and_broadcast_are_nobodys() -> None:
    leases = Leases(CIDR)
    for number in range(5):
        leases = leases.with_pod(str(number))
    assert set(leases.addresses.values()) == {f"10.42.0.{n}" for n in range(2, 7)}
    assert gateway_of(CIDR) == "10.42.0.1"
    with pytest.raises(NoAddressLeft, match=r"all 5 addresses of 10\.42\.0\.0/29"):
        leases.with_pod("one more")


def test_a_table_that_was_written_is_read_again(tmp_path: Path) -> None:
    leases = Leases(CIDR).with_pod("a")
    write_leases(tmp_path / "leases.json", leases)
    assert read_leases(tmp_path / "leases.json", CIDR) == leases


@pytest.mark.parametrize("text", [None, "", "[]", '{"other": 1}'])
def test_no_table_or_a_foreign_one_is_an_empty_one(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "leases.json").write_text(text)
    assert read_leases(tmp_path / "leases.json", CIDR) == Leases(CIDR)


def test_leases_of_another_range_are_dropped(tmp_path: Path) -> None:
    write_leases(tmp_path / "leases.json", Leases("10.99.0.0/24").with_pod("a"))
    assert read_leases(tmp_path / "leases.json", CIDR) == Leases(CIDR)
