"""Pods that want to be spread over domains."""

from tests.unit.control.scheduler.world import HOST, ZONE, node, nodes, pod, spread, where


def test_a_hard_spread_allows_no_more_than_its_skew() -> None:
    rule = spread(ZONE)
    there = [
        (node("a", zone="east"), [pod("x", "web"), pod("y", "web")]),
        (node("b", zone="west"), [pod("z", "web")]),
        (node("c"), []),
    ]
    assert where(pod("new", "web", spreads=[rule]), there) == "b"
    assert where(pod("new", "web", spreads=[rule]), [there[0], there[2]]) == "a", "one domain only"
    there[1] = (node("b", zone="west", cpu="0"), [])
    assert where(pod("new", "web", spreads=[rule], cpu="1"), there) == (
        "0/3 nodes are available: 1 Insufficient cpu, "
        "1 node(s) didn't match pod topology spread constraints, "
        "1 node(s) didn't match pod topology spread constraints (missing required label)."
    )


def test_a_soft_spread_only_wishes() -> None:
    rule = spread(HOST, "ScheduleAnyway")
    assert where(pod("new", "web", spreads=[rule]), nodes(a=["web"], b=[])) == "b"
    assert where(pod("new", "web", spreads=[rule]), nodes(a=["web"])) == "a"
