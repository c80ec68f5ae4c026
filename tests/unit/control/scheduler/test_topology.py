"""Pods that want company, pods that do not, and pods that want to be spread."""

import random
from typing import Any

import msgspec

from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.algorithm import Chosen, Unfit, choose
from appliance.control.scheduler.snapshot import NodeView, view

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
Json = dict[str, Any]


def test_a_pod_keeps_away_from_its_like() -> None:
    one = pod("new", "web", apart=[term("web")])
    assert place(one, nodes(a=["web"], b=[])) == "b"
    assert place(one, nodes(a=["web"], b=["web"])) == (
        "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules."
    )


def test_a_pod_that_keeps_others_away_is_respected() -> None:
    loner = pod("loner", "db", apart=[term("web")])
    views = [view(node("a"), [loner]), view(node("b"), [])]
    assert place(pod("new", "web"), views) == "b"
    assert place(pod("new", "web"), views[:1]) == (
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."
    )


def test_a_pod_goes_where_its_company_is_in_the_zone() -> None:
    views = [
        view(node("a", zone="east"), [pod("cache", "cache")]),
        view(node("b", zone="west"), []),
        view(node("c", zone="east", cpu="100"), []),
    ]
    one = pod("new", "web", near=[term("cache", ZONE)])
    assert place(one, views) in {"a", "c"}
    assert place(one, views[1:2]) == (
        "0/1 nodes are available: 1 node(s) didn't match pod affinity rules."
    )


def test_the_first_of_a_group_that_wants_to_be_together_may_go_anywhere() -> None:
    one = pod("new", "web", near=[term("web", ZONE)])
    assert place(one, [view(node("a", zone="east"), [])]) == "a"
    assert isinstance(choose(one, [view(node("no zone"), [])], rng()), Unfit)


def test_company_in_another_namespace_counts_where_it_is_asked_for() -> None:
    elsewhere = pod("cache", "cache", namespace="other")
    views = [view(node("a"), [elsewhere]), view(node("b"), [])]
    assert isinstance(choose(pod("new", "web", near=[term("cache")]), views, rng()), Unfit)
    named = term("cache", namespaces=["other"])
    assert place(pod("new", "web", near=[named]), views) == "a"
    by_label = term("cache", namespaceSelector={"matchLabels": {"team": "x"}})
    one = pod("new", "web", near=[by_label])
    choice = choose(one, views, rng(), namespaces={"other": {"team": "x"}, "ns": {}})
    assert choice == Chosen("a")


def test_preferred_company_draws_and_preferred_distance_repels() -> None:
    views = nodes(a=[], b=["cache"], c=[])
    drawn = pod("new", "web", likes=[{"weight": 100, "podAffinityTerm": term("cache")}])
    assert place(drawn, views) == "b"
    shy = pod("new", "web", dislikes=[{"weight": 100, "podAffinityTerm": term("cache")}])
    assert place(shy, views) in {"a", "c"}


def test_a_hard_spread_allows_no_more_than_its_skew() -> None:
    rule = spread(ZONE)
    views = [
        view(node("a", zone="east"), [pod("x", "web"), pod("y", "web")]),
        view(node("b", zone="west"), [pod("z", "web")]),
        view(node("c"), []),
    ]
    assert place(pod("new", "web", spreads=[rule]), views) == "b"
    assert place(pod("new", "web", spreads=[rule]), [views[0], views[2]]) == "a", "one domain only"
    views[1] = view(node("b", zone="west", cpu="0"), [])
    assert place(pod("new", "web", spreads=[rule], cpu="1"), views) == (
        "0/3 nodes are available: 1 Insufficient cpu, "
        "1 node(s) didn't match pod topology spread constraints, "
        "1 node(s) didn't match pod topology spread constraints (missing required label)."
    )


def test_a_soft_spread_only_wishes() -> None:
    rule = spread(HOST, "ScheduleAnyway")
    assert place(pod("new", "web", spreads=[rule]), nodes(a=["web"], b=[])) == "b"
    assert place(pod("new", "web", spreads=[rule]), nodes(a=["web"])) == "a"


def place(one: Pod, views: list[NodeView]) -> str:
    """The node's name, or why there is none."""
    choice = choose(one, views, rng())
    return choice.node if isinstance(choice, Chosen) else choice.message


def rng() -> random.Random:
    return random.Random(1)  # noqa: S311 - picks among equals


def nodes(**apps: list[str]) -> list[NodeView]:
    """Nodes of these names with a pod of each of these apps."""
    return [
        view(node(name), [pod(f"{name}{n}", app) for n, app in enumerate(here)])
        for name, here in apps.items()
    ]


def node(name: str, *, zone: str = "", cpu: str = "4") -> Node:
    labels = {HOST: name, **({ZONE: zone} if zone else {})}
    room = {"cpu": cpu, "memory": "4Gi", "pods": "110"}
    body = {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": room}}
    return msgspec.convert(body, Node)


def term(app: str, key: str = HOST, **rest: Any) -> Json:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **rest}


def spread(key: str, otherwise: str = "DoNotSchedule") -> Json:
    selector = {"matchLabels": {"app": "web"}}
    rule = {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": otherwise}
    return {**rule, "labelSelector": selector}


def pod(
    name: str,
    app: str,
    *,
    namespace: str = "ns",
    near: list[Json] | None = None,
    apart: list[Json] | None = None,
    likes: list[Json] | None = None,
    dislikes: list[Json] | None = None,
    spreads: list[Json] | None = None,
    cpu: str = "",
) -> Pod:
    hard, soft = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    resources = {"resources": {"requests": {"cpu": cpu}}} if cpu else {}
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": name, "labels": {"app": app}},
            "spec": {
                "containers": [{"name": "c", **resources}],
                "topologySpreadConstraints": spreads or [],
                "affinity": {
                    "podAffinity": {hard: near or [], soft: likes or []},
                    "podAntiAffinity": {hard: apart or [], soft: dislikes or []},
                },
            },
        },
        Pod,
    )
