"""A snapshot for tests of choices: nodes with the pods that are on them."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec

from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.algorithm import Chooser, Chosen, Unfit
from appliance.control.scheduler.podinfo import PodInfo, has_ended
from appliance.control.scheduler.profile import Profile
from appliance.control.scheduler.snapshot import Snapshot
from appliance.control.scheduler.terms import Namespaces

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
Json = dict[str, Any]
There = tuple[Node, list[Pod]]
"""A node and what is on it."""


def views(nodes: list[Node], **pods: list[Pod]) -> Snapshot:
    """Nodes, and pods by the name of their node."""
    made = Snapshot()
    for node in nodes:
        made.set_node(node)
    for name, there in pods.items():
        for pod in there:
            if not has_ended(pod):
                made.place(PodInfo(pod), name)
    return made


def place(
    one: Pod,
    snapshot: Snapshot,
    seed: int = 1,
    *,
    profile: Profile | None = None,
    namespaces: Namespaces | None = None,
) -> Chosen | Unfit:
    """Where a pod goes."""
    snapshot.set_namespaces(namespaces or {})
    chance = random.Random(seed)  # noqa: S311 - picks among equals
    return Chooser(profile or Profile(), chance).choose(PodInfo(one), snapshot)


def choice(
    one: Pod, there: Sequence[There], *, namespaces: Namespaces | None = None
) -> Chosen | Unfit:
    """Where a pod goes among these nodes."""
    on = {node.metadata.name: pods for node, pods in there}
    return place(one, views([node for node, _ in there], **on), namespaces=namespaces)


def where(one: Pod, there: Sequence[There]) -> str:
    """The node's name, or why there is none."""
    found = choice(one, there)
    return found.node if isinstance(found, Chosen) else found.message


def nodes(**apps: list[str]) -> list[There]:
    """Nodes of these names with a pod of each of these apps."""
    return [
        (node(name), [pod(f"{name}{n}", app) for n, app in enumerate(here)])
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
