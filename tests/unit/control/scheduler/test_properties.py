"""Random worlds: what the scheduler chooses is right, judged by rules written out once more.

The judge below knows nothing of snapshots, tallies or signatures: it looks at all nodes and pods
again for every question.
"""

import itertools
import random
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.api import nodeaffinity, taints
from appliance.api.hostports import host_ports
from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.labels import from_label_selector
from appliance.control.scheduler.algorithm import Chooser, Chosen, Unfit
from appliance.control.scheduler.podinfo import PodInfo, requests
from appliance.control.scheduler.preemption import Budgets, Plan, plan
from appliance.control.scheduler.profile import Profile
from appliance.control.scheduler.snapshot import Snapshot
from tests.unit.control.scheduler.world import HOST, ZONE, Json, term

APPS = ("a", "b")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
FORBIDDING = (taints.NO_SCHEDULE, taints.NO_EXECUTE)


@dataclass
class World:
    """Nodes, and pods by the node they are on."""

    nodes: dict[str, Node] = field(default_factory=dict)
    pods: list[tuple[str, Pod]] = field(default_factory=list)

    def on(self, name: str) -> list[Pod]:
        return [pod for node, pod in self.pods if node == name]

    def in_domain(self, key: str, value: str) -> list[Pod]:
        return [
            pod for node, pod in self.pods if self.nodes[node].metadata.labels.get(key) == value
        ]


# The judge


def violates(pod: Pod, node: Node, world: World) -> str:
    """The first rule that putting the pod there would break."""
    rules = (by_itself, no_room, no_company, uneven)
    return next((rule.__name__ for rule in rules if rule(pod, node, world)), "")


def by_itself(pod: Pod, node: Node, _world: World) -> bool:
    if node.spec.unschedulable or not nodeaffinity.allows(pod.spec, node):
        return True
    return bool(taints.untolerated(node.spec.taints, pod.spec.tolerations, FORBIDDING))


def no_room(pod: Pod, node: Node, world: World) -> bool:
    there = world.on(node.metadata.name)
    cpu = sum(requests(p).get("cpu", 0) for p in (*there, pod))
    taken = [port for other in there for port in host_ports(other)]
    clash = any(a.clashes(b) for a in host_ports(pod) for b in taken)
    return cpu > 1000 or len(there) >= 6 or clash


def no_company(pod: Pod, node: Node, world: World) -> bool:
    labels = node.metadata.labels
    near, apart = required(pod)
    for wish in near:
        value = labels.get(wish.topologyKey)
        if value is None:
            return True
        # on nodes outside all domains nobody is company: neither do they keep a group from starting
        friends = [
            p
            for where, p in world.pods
            if all(matches(w, pod, p) for w in near)
            and any(w.topologyKey in world.nodes[where].metadata.labels for w in near)
        ]
        if not friends and all(matches(w, pod, pod) for w in near):
            continue  # the first of its kind
        if not any(p in friends for p in world.in_domain(wish.topologyKey, value)):
            return True
    for wish in apart:
        value = labels.get(wish.topologyKey, "")
        if value and any(matches(wish, pod, p) for p in world.in_domain(wish.topologyKey, value)):
            return True
    for where, other in world.pods:
        for wish in required(other)[1]:
            value = labels.get(wish.topologyKey, "")
            theirs = world.nodes[where].metadata.labels.get(wish.topologyKey)
            if value and value == theirs and matches(wish, other, pod):
                return True
    return False


def uneven(pod: Pod, node: Node, world: World) -> bool:
    rules = pod.spec.topologySpreadConstraints
    keys = {rule.topologyKey for rule in rules}
    for rule in rules:
        counts: dict[str, int] = {}
        for other in world.nodes.values():
            labels = other.metadata.labels
            if not keys <= labels.keys() or not nodeaffinity.allows(pod.spec, other):
                continue
            left = taints.untolerated(other.spec.taints, pod.spec.tolerations, FORBIDDING)
            if rule.nodeTaintsPolicy == "Honor" and left:
                continue
            there = world.on(other.metadata.name)
            selector = from_label_selector(rule.labelSelector)
            number = sum(selector.matches(p.metadata.labels) for p in there)
            value = labels[rule.topologyKey]
            counts[value] = counts.get(value, 0) + number
        value = node.metadata.labels.get(rule.topologyKey, "")
        least = min(counts.values(), default=0) if len(counts) >= (rule.minDomains or 1) else 0
        own = from_label_selector(rule.labelSelector).matches(pod.metadata.labels)
        if not value or counts.get(value, 0) + own - least > rule.maxSkew:
            return True
    return False


def required(pod: Pod) -> tuple[list[Any], list[Any]]:
    affinity = pod.spec.affinity
    near = affinity.podAffinity if affinity else None
    apart = affinity.podAntiAffinity if affinity else None
    return (
        list(getattr(near, REQUIRED)) if near else [],
        list(getattr(apart, REQUIRED)) if apart else [],
    )


def matches(wish: Any, owner: Pod, pod: Pod) -> bool:
    selector = from_label_selector(wish.labelSelector)
    same = owner.metadata.namespace == pod.metadata.namespace
    return same and selector.matches(pod.metadata.labels)


# What is random

nodes = st.builds(
    lambda zone, ssd, taint, cordon: {"zone": zone, "ssd": ssd, "taint": taint, "cordon": cordon},
    zone=st.sampled_from(["", "x", "y"]),
    ssd=st.booleans(),
    taint=st.sampled_from([False, False, True]),
    cordon=st.sampled_from([False, False, False, True]),
)
pods = st.fixed_dictionaries(
    {
        "app": st.sampled_from(APPS),
        "cpu": st.sampled_from([0, 200, 400]),
        "port": st.sampled_from([0, 0, 0, 80]),
        "ssd": st.sampled_from([False, False, True]),
        "tolerates": st.booleans(),
        "near": st.sampled_from([None, None, ("a", ZONE), ("b", HOST)]),
        "apart": st.sampled_from([None, None, ("a", HOST), ("b", ZONE)]),
        "spread": st.sampled_from([None, None, (1, ZONE, None), (2, HOST, None), (1, ZONE, 2)]),
        "taints": st.sampled_from([None, "Honor"]),
    }
)
steps = st.one_of(
    st.tuples(st.just("pod"), pods),
    st.tuples(st.just("pod"), pods),
    st.tuples(st.just("pod"), pods),
    st.tuples(st.just("leave"), st.integers(0, 20)),
    st.tuples(st.just("node"), nodes),
    st.tuples(st.just("relabel"), nodes),
    st.tuples(st.just("lose"), st.integers(0, 20)),
)


@settings(deadline=None)
@given(st.lists(nodes, min_size=1, max_size=4), st.lists(steps, min_size=4, max_size=25))
def test_a_pod_never_goes_where_a_rule_forbids_it_and_goes_where_none_does(
    first: list[Json], happenings: list[tuple[str, Any]]
) -> None:
    world, snapshot = World(), Snapshot()
    chooser = Chooser(Profile(), random.Random(1))  # noqa: S311 - picks among equals
    numbers = itertools.count()
    for body in first:
        put_node(world, snapshot, f"n{next(numbers)}", body)
    for what, body in happenings:
        name = f"p{next(numbers)}"
        match what:
            case "pod":
                schedule(world, snapshot, chooser, make_pod(name, body))
            case "node":
                put_node(world, snapshot, f"n{next(numbers)}", body)
            case "relabel":
                put_node(world, snapshot, min(world.nodes, default="n0"), body)
            case "leave" if world.pods:
                _, gone = world.pods.pop(body % len(world.pods))
                snapshot.remove(gone.metadata.uid)
            case "lose" if len(world.nodes) > 1:
                lost = sorted(world.nodes)[body % len(world.nodes)]
                for pod in world.on(lost):
                    snapshot.remove(pod.metadata.uid)
                snapshot.remove_node(lost)
                del world.nodes[lost]
                world.pods = [(node, pod) for node, pod in world.pods if node != lost]


def schedule(world: World, snapshot: Snapshot, chooser: Chooser, pod: Pod) -> None:
    choice = chooser.choose(PodInfo(pod), snapshot)
    broken = {name: violates(pod, node, world) for name, node in world.nodes.items()}
    if isinstance(choice, Unfit):
        assert all(broken.values()), (choice, broken)
        assert choice.message.startswith(f"0/{len(world.nodes)} nodes are available: ")
        return
    assert not broken[choice.node], (choice, broken)
    snapshot.place(PodInfo(pod), choice.node)
    world.pods.append((choice.node, pod))


@given(st.integers(2, 7), st.integers(1, 4), st.integers(0, 2**32))
@settings(deadline=None)
def test_equal_nodes_get_equally_many_of_equal_pods(number: int, each: int, seed: int) -> None:
    snapshot = Snapshot()
    for n in range(number):
        snapshot.set_node(make_node(f"n{n}", {"zone": "", "ssd": False}))
    chooser = Chooser(Profile(), random.Random(seed))  # noqa: S311 - picks among equals
    found: dict[str, int] = {}
    for n in range(number * each):
        info = PodInfo(make_pod(f"p{n}", {"app": "a", "cpu": 0}))
        choice = chooser.choose(info, snapshot)
        assert isinstance(choice, Chosen)
        snapshot.place(info, choice.node)
        found[choice.node] = found.get(choice.node, 0) + 1
    assert set(found.values()) == {each}
    assert len(found) == number


small = st.tuples(st.integers(-1, 3), st.sampled_from([100, 200, 300, 500]), st.booleans())


@given(
    st.lists(st.lists(small, max_size=5), min_size=1, max_size=3),
    st.integers(0, 3),
    st.integers(0, 2),
)
@settings(deadline=None)
def test_the_least_important_and_no_more_than_needed_are_pushed_out(
    there: list[list[tuple[int, int, bool]]], priority: int, allowed: int
) -> None:
    snapshot = Snapshot()
    for n, bodies in enumerate(there):
        snapshot.set_node(make_node(f"n{n}", {"zone": "", "ssd": False}))
        for m, (value, cpu, guarded) in enumerate(bodies):
            app = "guarded" if guarded else "free"
            pod = make_pod(f"p{n}-{m}", {"app": app, "cpu": cpu, "priority": value})
            pod.status.startTime = f"2026-01-01T00:00:0{m}Z"
            snapshot.place(PodInfo(pod), f"n{n}")
    info = PodInfo(make_pod("new", {"app": "a", "cpu": 700, "priority": priority}))
    chooser = Chooser(Profile(), random.Random(1))  # noqa: S311 - picks among equals
    budgets = Budgets(
        {"budget": allowed},
        lambda pod: ["budget"] if pod.metadata.labels["app"] == "guarded" else [],
    )
    before = [list(view.pods) for view in snapshot.nodes.values()]
    unfit = chooser.choose(info, snapshot)
    if isinstance(unfit, Chosen):
        return
    found = plan(info, unfit, chooser, snapshot, budgets=budgets)
    assert [sorted(view.pods) for view in snapshot.nodes.values()] == [sorted(b) for b in before]
    best = [
        least
        for view in snapshot.nodes.values()
        if (least := brute_force(info, list(view.pods.values()), allowed)) is not None
    ]
    if not isinstance(found, Plan):
        assert best == []
        return
    mine = brute_force(info, list(snapshot.nodes[found.node].pods.values()), allowed)
    assert mine is not None
    assert {v.uid for v in found.victims} == mine[1]
    assert all(v.priority < info.priority for v in found.victims)
    assert mine[0] == min(harm for harm, _ in best), "no other node would lose less"


def brute_force(
    info: PodInfo, there: list[PodInfo], allowed: int
) -> tuple[tuple[int, int, int, int], set[str]] | None:
    """Of all sets of lower pods whose leaving makes room the one with the least harm."""
    lower = sorted(
        (p for p in there if p.priority < info.priority),
        key=lambda p: (-p.priority, p.pod.status.startTime or ""),
    )
    used = sum(p.requests.get("cpu", 0) for p in there)
    guarded = [p for p in lower if p.pod.metadata.labels["app"] == "guarded"]
    breaking = guarded[allowed:]
    order = [*breaking, *(p for p in lower if p not in breaking)]
    sets = []
    for keep in itertools.product([0, 1], repeat=len(order)):  # 0 stays, and the first count most
        out = [p for p, goes in zip(order, keep, strict=True) if goes]
        if used - sum(p.requests.get("cpu", 0) for p in out) + info.requests["cpu"] <= 1000 and out:
            sets.append((keep, out))
    if not sets:
        return None
    _, out = min(sets, key=lambda found: found[0])
    priorities = [p.priority for p in out]
    harm = (
        sum(p in breaking for p in out),
        max(priorities),
        sum(p + 2**31 for p in priorities),
        len(out),
    )
    return harm, {p.uid for p in out}


# Builders


def put_node(world: World, snapshot: Snapshot, name: str, body: Json) -> None:
    world.nodes[name] = make_node(name, body)
    snapshot.set_node(world.nodes[name])


def make_node(name: str, body: Json) -> Node:
    labels = {HOST: name}
    if body["zone"]:
        labels[ZONE] = body["zone"]
    if body["ssd"]:
        labels["disk"] = "ssd"
    spec: Json = {"unschedulable": body.get("cordon", False)}
    if body.get("taint"):
        spec["taints"] = [{"key": "k", "effect": "NoSchedule"}]
    room = {"cpu": "1", "memory": "4Gi", "pods": "6"}
    meta = {"name": name, "labels": labels}
    return msgspec.convert({"metadata": meta, "spec": spec, "status": {"allocatable": room}}, Node)


def make_pod(name: str, body: Json) -> Pod:
    container: Json = {"name": "c"}
    if body["cpu"]:
        container["resources"] = {"requests": {"cpu": f"{body['cpu']}m"}}
    if body.get("port"):
        container["ports"] = [{"containerPort": 1, "hostPort": body["port"]}]
    affinity: Json = {}
    for field_, kind in (("near", "podAffinity"), ("apart", "podAntiAffinity")):
        if wish := body.get(field_):
            affinity[kind] = {REQUIRED: [term(*wish)]}
    spec: Json = {"containers": [container], "affinity": affinity, "priority": body.get("priority")}
    if body.get("ssd"):
        spec["nodeSelector"] = {"disk": "ssd"}
    if body.get("tolerates"):
        spec["tolerations"] = [{"operator": "Exists", "effect": "NoSchedule", "key": "k"}]
    if rule := body.get("spread"):
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": rule[0],
                "topologyKey": rule[1],
                "minDomains": rule[2],
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": body["app"]}},
                "nodeTaintsPolicy": body["taints"],
            }
        ]
    meta = {"name": name, "uid": name, "namespace": "ns", "labels": {"app": body["app"]}}
    return msgspec.convert({"metadata": meta, "spec": spec}, Pod)
