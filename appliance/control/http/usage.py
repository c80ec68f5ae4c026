"""metrics.k8s.io: what nodes and pods use, for `kubectl top` and whoever scales by it.

Nothing is stored: each question is passed on to the nodes that it is about, and their answers are
turned into the words of the group. A node that does not answer within `ANSWER_S` is left out, as
metrics servers do. Routed by `app.Api`. Source: k8s.io/metrics v1beta1.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx
import structlog

from appliance.api.errors import ApiError, NotFound
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.meta import ObjectMeta
from appliance.control.http.discovery import Extra
from appliance.control.http.exchange import Exchange
from appliance.control.http.params import list_query
from appliance.control.http.resources import method_not_allowed, no_such_resource
from appliance.control.http.streams import NodeConnections, node_url
from appliance.control.registry.base import Registry
from appliance.kit import jsonio

log = structlog.get_logger(__name__)

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
ANSWER_S = 5.0
READ = ("get", "list")
EXTRAS = (
    Extra(
        group=GROUP, version=VERSION, plural="nodes", singular="", kind="NodeMetrics", verbs=READ
    ),
    Extra(
        group=GROUP,
        version=VERSION,
        plural="pods",
        singular="",
        kind="PodMetrics",
        namespaced=True,
        verbs=READ,
    ),
)

Json = dict[str, Any]


class Usage:
    """Answers GET of the group's two resources."""

    def __init__(self, registry: Registry, nodes: NodeConnections | None) -> None:
        self._registry = registry
        self._nodes = nodes

    async def handle(self, exchange: Exchange) -> None:
        """One or all."""
        target = exchange.target
        if target.version != VERSION or target.resource not in {"nodes", "pods"}:
            raise no_such_resource()
        if target.verb not in READ or target.subresource:
            raise method_not_allowed()
        kind = "NodeMetrics" if target.resource == "nodes" else "PodMetrics"
        if target.name:
            body = await self._one(target.resource, target.namespace, target.name)
        else:
            body = {"metadata": {}, "items": await self._many(exchange)}
            kind += "List"
        head = {"kind": kind, "apiVersion": f"{GROUP}/{VERSION}"}
        await exchange.answer(jsonio.dumps(head | body), form=exchange.form())

    async def _one(self, resource: str, namespace: str, name: str) -> Json:
        if resource == "nodes":
            node = (await self._registry.get(NODE, "", name)).obj
            found = node_metrics(node, (await self._ask([node])).get(name, {}))
        else:
            pod = (await self._registry.get(POD, namespace, name)).obj
            node = (await self._registry.get(NODE, "", pod.spec.nodeName)).obj
            answers = await self._ask([node])
            found = pod_metrics(pod, by_uid(answers.values()).get(local_uid(pod)))
        if found is None:
            raise NotFound(f'{resource}.{GROUP} "{name}" not found')
        return found

    async def _many(self, exchange: Exchange) -> list[Json]:
        target = exchange.target
        query = list_query(exchange.params, namespace=target.namespace, watch=False)
        if target.resource == "nodes":
            nodes = [item.obj for item in (await self._registry.list(NODE, query)).items]
            answers = await self._ask(nodes)
            told = (node_metrics(n, answers.get(n.metadata.name, {})) for n in nodes)
            return [one for one in told if one is not None]
        pods = [item.obj for item in (await self._registry.list(POD, query)).items]
        return [told for _, told in await self.of_pods(pods)]

    async def of_pods(self, pods: Sequence[Pod]) -> list[tuple[Pod, Json]]:
        """PodMetrics of those pods whose nodes tell."""
        wanted = {pod.spec.nodeName for pod in pods}
        every = await self._registry.lookup.every(NODE)
        answers = await self._ask(n for n in every if n.metadata.name in wanted)
        used = by_uid(answers.values())
        found = ((pod, pod_metrics(pod, used.get(local_uid(pod)))) for pod in pods)
        return [(pod, told) for pod, told in found if told is not None]

    async def _ask(self, nodes: Iterable[Node]) -> dict[str, Json]:
        """The summaries of nodes, those that answer, by name."""
        named = list(nodes)
        found = await asyncio.gather(*(self._summary(node) for node in named))
        return {
            node.metadata.name: answer
            for node, answer in zip(named, found, strict=True)
            if answer is not None
        }

    async def _summary(self, node: Node) -> Json | None:
        if self._nodes is None:
            return None
        try:
            url = f"{node_url(node)}/stats/summary"
            answer = await self._nodes.http.get(url, timeout=ANSWER_S)
            found: Json = jsonio.loads(answer.content) if answer.is_success else {}
        except (httpx.HTTPError, ApiError, ValueError) as error:
            log.warning("a node does not tell its usage", node=node.metadata.name, why=str(error))
            return None
        return found


def by_uid(summaries: Iterable[Json]) -> dict[str, Json]:
    """Pods of several summaries by uid."""
    return {pod["podRef"]["uid"]: pod for one in summaries for pod in one.get("pods", ())}


def local_uid(pod: Pod) -> str:
    """The uid under which a node runs a pod: a static pod's mirror has another."""
    return pod.metadata.annotations.get("kubernetes.io/config.mirror", pod.metadata.uid)


def node_metrics(node: Node, summary: Json) -> Json | None:
    """A node's usage, or None if it told no rate."""
    return _metrics(node.metadata, summary.get("node", {}))


def pod_metrics(pod: Pod, used: Json | None) -> Json | None:
    """A pod's usage by container, or None if nothing of it runs."""
    told = [
        {"name": one["name"], "usage": usage}
        for one in (used or {}).get("containers", ())
        if (usage := _amounts(one)) is not None
    ]
    if used is None or not told:
        return None
    return {**_head(pod.metadata, used), "containers": told}


def _metrics(meta: ObjectMeta, used: Json) -> Json | None:
    usage = _amounts(used)
    return None if usage is None else {**_head(meta, used), "usage": usage}


def _head(meta: ObjectMeta, used: Json) -> Json:
    named: Json = {"name": meta.name}
    if meta.namespace:
        named["namespace"] = meta.namespace
    if meta.labels:
        named["labels"] = meta.labels
    named["creationTimestamp"] = used["cpu"]["time"]
    window = used["cpu"].get("windowSeconds", 0.0)
    return {"metadata": named, "timestamp": used["cpu"]["time"], "window": f"{window:.3f}s"}


def _amounts(used: Mapping[str, Any]) -> Json | None:
    cores, memory = (
        used.get("cpu", {}).get("usageNanoCores"),
        used.get("memory", {}).get("workingSetBytes"),
    )
    if cores is None or memory is None:
        return None
    return {"cpu": f"{cores}n", "memory": f"{memory // 1024}Ki"}
