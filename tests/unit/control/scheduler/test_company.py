"""Pods that want company, and pods that do not."""

from appliance.control.scheduler.algorithm import Chosen, Unfit
from tests.unit.control.scheduler.world import ZONE, choice, node, nodes, pod, term, where


def test_a_pod_keeps_away_from_its_like() -> None:
    one = pod("new", "web", apart=[term("web")])
    assert where(one, nodes(a=["web"], b=[])) == "b"
    assert where(one, nodes(a=["web"], b=["web"])) == (
        "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules."
    )


def test_a_pod_that_keeps_others_away_is_respected() -> None:
    loner = pod("loner", "db", apart=[term("web")])
    there = [(node("a"), [loner]), (node("b"), [])]
    assert where(pod("new", "web"), there) == "b"
    assert where(pod("new", "web"), there[:1]) == (
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."
    )


def test_a_pod_goes_where_its_company_is_in_the_zone() -> None:
    there = [
        (node("a", zone="east"), [pod("cache", "cache")]),
        (node("b", zone="west"), []),
        (node("c", zone="east", cpu="100"), []),
    ]
    one = pod("new", "web", near=[term("cache", ZONE)])
    assert where(one, there) in {"a", "c"}
    assert where(one, there[1:2]) == (
        "0/1 nodes are available: 1 node(s) didn't match pod affinity rules."
    )


def test_the_first_of_a_group_that_wants_to_be_together_may_go_anywhere() -> None:
    one = pod("new", "web", near=[term("web", ZONE)])
    assert where(one, [(node("a", zone="east"), [])]) == "a"
    assert isinstance(choice(one, [(node("no zone"), [])]), Unfit)


def test_company_in_another_namespace_counts_where_it_is_asked_for() -> None:
    elsewhere = pod("cache", "cache", namespace="other")
    there = [(node("a"), [elsewhere]), (node("b"), [])]
    assert isinstance(choice(pod("new", "web", near=[term("cache")]), there), Unfit)
    named = term("cache", namespaces=["other"])
    assert where(pod("new", "web", near=[named]), there) == "a"
    by_label = term("cache", namespaceSelector={"matchLabels": {"team": "x"}})
    one = pod("new", "web", near=[by_label])
    namespaces = {"other": {"team": "x"}, "ns": {}}
    assert choice(one, there, namespaces=namespaces) == Chosen("a")


def test_preferred_company_draws_and_preferred_distance_repels() -> None:
    there = nodes(a=[], b=["cache"], c=[])
    drawn = pod("new", "web", likes=[{"weight": 100, "podAffinityTerm": term("cache")}])
    assert where(drawn, there) == "b"
    shy = pod("new", "web", dislikes=[{"weight": 100, "podAffinityTerm": term("cache")}])
    assert where(shy, there) in {"a", "c"}
