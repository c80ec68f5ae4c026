"""Where a pod goes, and the words in which the scheduler says that it can't go anywhere."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.algorithm import Chosen, Unfit
from appliance.control.scheduler.podinfo import requests
from tests.unit.control.scheduler.world import place, views

Change = Callable[[dict[str, Any]], None]
Json = dict[str, Any]


def test_the_words_count_reasons_over_all_nodes() -> None:
    nodes = [
        node("a", taints=[{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]),
        node("b", cpu="100m"),
        node("c", cpu="100m"),
    ]
    choice = place(pod(cpu="500m"), views(nodes))
    assert said(choice) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu."
    )


def test_no_nodes_at_all() -> None:
    assert said(place(pod(), views([]))) == "no nodes available to schedule pods"


REFUSALS: list[tuple[str, Json, Json, str]] = [
    ("cordoned", {"spec": {"unschedulable": True}}, {}, "node(s) were unschedulable"),
    ("label missing", {}, {"nodeSelector": {"disk": "ssd"}}, "node affinity/selector"),
    (
        "required affinity",
        {"metadata": {"labels": {"disk": "hdd"}}},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "disk", "operator": "NotIn", "values": ["hdd"]}]}]}}}},
        "node affinity/selector",
    ),
    (
        "evicting taint",
        {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}},
        {"tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]},
        "untolerated taint(s)",
    ),
    ("memory", {"status": {"allocatable": {"memory": "1Gi", "cpu": "4", "pods": "9"}}},
     {"containers": [{"name": "c", "resources": {"requests": {"memory": "1025Mi"}}}]},
     "Insufficient memory"),
    ("pods", {"status": {"allocatable": {"cpu": "4", "memory": "1Gi"}}}, {}, "Too many pods"),
    ("extended resource", {},
     {"containers": [{"name": "c", "resources": {"requests": {"example.org/gpu": "1"}}}]},
     "Insufficient example.org/gpu"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "node_has", "spec", "why"), REFUSALS, ids=[r[0] for r in REFUSALS]
)
@pytest.mark.seed("D01")
def test_a_rule_refuses(name: str, node_has: Json, spec: Json, why: str) -> None:
    choice = place(pod(spec=spec), views([node("a", **node_has)]))
    assert isinstance(choice, Unfit), name
    assert choice.message.startswith("0/1 nodes are available: 1 ")
    assert why in choice.message


ALLOWED: list[tuple[str, Json, Json]] = [
    (
        "tolerated by value",
        {"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}},
        {"tolerations": [{"key": "k", "value": "v"}]},
    ),
    (
        "tolerates everything",
        {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}], "unschedulable": True}},
        {"tolerations": [{"operator": "Exists"}]},
    ),
    (
        "preferred taint only repels",
        {"spec": {"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}},
        {},
    ),
    (
        "greater than",
        {"metadata": {"labels": {"cores": "8"}}},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "cores", "operator": "Gt", "values": ["4"]}]}]}}}},
    ),
    (
        "field of the node",
        {},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchFields": [
                {"key": "metadata.name", "operator": "In", "values": ["a"]}]}]}}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "node_has", "spec"), ALLOWED, ids=[a[0] for a in ALLOWED])
def test_a_rule_allows(name: str, node_has: Json, spec: Json) -> None:
    choice = place(pod(spec=spec), views([node("a", **node_has)]))
    assert choice == Chosen("a"), name


@pytest.mark.parametrize(
    ("mine", "theirs", "clash"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, True),
        ({"hostPort": 80}, {"hostPort": 81}, False),
        ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, False),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, False),
    ],
)
@pytest.mark.seed("D01")
def test_host_ports_are_never_shared(mine: Json, theirs: Json, clash: bool) -> None:
    def with_port(port: Json) -> Pod:
        return pod(spec={"containers": [{"name": "c", "ports": [{"containerPort": 1, **port}]}]})

    choice = place(with_port(mine), views([node("a")], a=[with_port(theirs)]))
    assert isinstance(choice, Unfit) is clash


@pytest.mark.seed("D02")
def test_replicas_spread_over_nodes() -> None:
    nodes = [node(name) for name in "abc"]
    placed: dict[str, list[Pod]] = {"a": [], "b": [], "c": []}
    for number in range(6):
        one = owned(f"p{number}")
        choice = place(one, views(nodes, **placed), seed=number)
        assert isinstance(choice, Chosen)
        placed[choice.node].append(one)
    assert [len(pods) for pods in placed.values()] == [2, 2, 2]


@pytest.mark.seed("D02")
def test_the_emptier_node_is_taken() -> None:
    busy = {"a": [pod("x", cpu="3")], "b": [pod("y", cpu="1")]}
    choice = place(pod(cpu="500m"), views([node("a"), node("b")], **busy))
    assert choice == Chosen("b")


def test_a_preferred_node_is_taken() -> None:
    wish = {"weight": 10, "preference": {"matchExpressions": [
        {"key": "disk", "operator": "In", "values": ["ssd"]}]}}  # fmt: skip
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}
    nodes = [node("a"), node("b", metadata={"labels": {"disk": "ssd"}}), node("c")]
    choice = place(pod(spec={"affinity": affinity}), views(nodes))
    assert choice == Chosen("b")


def test_pods_that_have_ended_hold_nothing() -> None:
    ended = pod("x", cpu="4")
    ended.status.phase = "Succeeded"
    assert place(pod(cpu="4"), views([node("a")], a=[ended])) == Chosen("a")


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ([], 300),
        ([{"cpu": "1"}], 1000),
        ([{"cpu": "50m", "always": True}], 350),
        ([{"cpu": "50m", "always": True}, {"cpu": "400m"}], 450),
        ([{"cpu": "400m"}, {"cpu": "50m", "always": True}], 400),
    ],
)
def test_init_containers_count_by_their_dearest_moment(init: list[Json], expected: int) -> None:
    spec = {
        "containers": [container("100m"), container("200m")],
        "initContainers": [
            {**container(i["cpu"]), **({"restartPolicy": "Always"} if i.get("always") else {})}
            for i in init
        ],
    }
    assert requests(pod(spec=spec))["cpu"] == expected


def said(choice: Chosen | Unfit) -> str:
    assert isinstance(choice, Unfit)
    return choice.message


def container(cpu: str) -> Json:
    return {"name": f"c{cpu}", "resources": {"requests": {"cpu": cpu}}}


def node(name: str, *, cpu: str = "4", taints: list[Json] | None = None, **rest: Json) -> Node:
    room = {"cpu": cpu, "memory": "4Gi", "pods": "110"}
    spec = {"taints": taints or [], **rest.get("spec", {})}
    status = rest.get("status", {"allocatable": room})
    meta = {"name": name, **rest.get("metadata", {})}
    return msgspec.convert({"metadata": meta, "spec": spec, "status": status}, Node)


def pod(name: str = "p", *, cpu: str = "", spec: Json | None = None) -> Pod:
    resources = {"resources": {"requests": {"cpu": cpu}}} if cpu else {}
    body = {"containers": [{"name": "c", **resources}], **(spec or {})}
    meta = {"name": name, "namespace": "ns", "uid": name}
    return msgspec.convert({"metadata": meta, "spec": body}, Pod)


def owned(name: str) -> Pod:
    made = pod(name)
    ref = {"apiVersion": "v1", "kind": "ReplicationController", "name": "rc", "uid": "u"}
    made.metadata = msgspec.convert(
        {
            "name": name,
            "namespace": "ns",
            "uid": name,
            "ownerReferences": [{**ref, "controller": True}],
        },
        type(made.metadata),
    )
    return made
