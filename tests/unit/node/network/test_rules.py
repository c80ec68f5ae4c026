"""Which foreign filter has to be opened for the pods."""

from typing import Any

import pytest

from appliance.node.network.rules import closed_door, closing, opening


def chain(name: str, policy: str = "", family: str = "ip", table: str = "filter") -> dict[str, Any]:
    return {"chain": {"family": family, "table": table, "name": name, "policy": policy}}


@pytest.mark.parametrize(
    ("chains", "door"),
    [
        ([], ""),
        ([chain("FORWARD", "accept")], ""),
        ([chain("FORWARD", "drop")], "FORWARD"),
        ([chain("FORWARD", "drop"), chain("DOCKER-USER")], "DOCKER-USER"),
        ([chain("FORWARD", "drop", family="ip6")], ""),
        ([chain("FORWARD", "drop", table="mangle")], ""),
    ],
)
def test_only_a_filter_that_drops_strangers_is_opened(chains: Any, door: str) -> None:
    assert closed_door([{"metainfo": {}}, *chains]) == door


def test_what_was_opened_is_found_by_its_comment_and_closed() -> None:
    assert opening("1a", "apl1a", "FORWARD").count('comment "appliance_1a_net"') == 2
    mine = {"family": "ip", "table": "filter", "chain": "FORWARD", "comment": "appliance_1a_net"}
    listed = [
        {"rule": mine | {"handle": 7}},
        {"rule": mine | {"handle": 8, "comment": "appliance_2b_net"}},
        {"rule": {k: v for k, v in mine.items() if k != "comment"} | {"handle": 9}},
    ]
    assert closing("1a", listed) == "delete rule ip filter FORWARD handle 7\n"
