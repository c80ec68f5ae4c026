"""Who is sent where: the cluster's own, and others."""

from typing import Any

from appliance.proxy.relays.front import Front, Who

NEAR, FAR = ["10.42.0.5", 80], ["10.42.1.5", 80]


def ends(client: str, **plan: Any) -> list[str]:
    who = Who(["10.42.0.0/16"], lambda address: address == "192.0.2.1")
    balancer = Front({"inside": [NEAR, FAR], **plan}, who).balancer(client)
    return [] if balancer is None else [e.address for e in balancer.endpoints]


def test_without_a_policy_everybody_is_sent_to_all() -> None:
    assert ends("198.51.100.7") == ends("10.42.0.9") == ["10.42.0.5", "10.42.1.5"]


def test_with_the_policy_local_others_are_sent_to_those_here() -> None:
    assert ends("198.51.100.7", outside=[NEAR]) == ["10.42.0.5"]
    assert ends("10.42.0.9", outside=[NEAR]) == ["10.42.0.5", "10.42.1.5"]
    assert ends("192.0.2.1", outside=[NEAR]) == ["10.42.0.5", "10.42.1.5"], "this host itself"
    assert ends("198.51.100.7", outside=[]) == []


def test_a_fence_keeps_others_out() -> None:
    assert ends("198.51.100.7", allowed=["198.51.100.0/24"]) != []
    assert ends("203.0.113.7", allowed=["198.51.100.0/24"]) == []
