"""What is used, over the node's API.

    GET /stats/summary                                    node, pods, containers, as JSON
    GET /metrics/resource                                 the same for metrics servers
    GET /metrics                                          what this process counts (Prometheus)
    GET /stats/                                           the node, in the words of 2014
    GET /stats/<pod>/<container>                          a container of a pod of `default`
    GET /stats/<namespace>/<pod>/<uid>/<container>        a container
    GET /spec/                                            what the machine has

The words of 2014 are cAdvisor's; one sample is given, however many are asked for.
"""

import os
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from appliance.kit import jsonio
from appliance.kit.clock import Clock, rfc3339
from appliance.node.pods.workers import Workers
from appliance.node.resources import memory_total
from appliance.node.runtimes import marks
from appliance.node.serve.routes import Routes
from appliance.node.stats.cgroups import PROC, Usage
from appliance.node.stats.meter import Meter, Metered, Traffic, traffic_of
from appliance.node.stats.report import resource_metrics, summary
from appliance.node.stats.volumes import VolumeMeter, add_volumes, volume_metrics


def add_metrics(app: Routes, metrics: Callable[[], bytes], volumes: VolumeMeter) -> None:
    """What `metrics` gives, and how full claims are, as Prometheus reads it."""

    @app.get("/metrics")
    async def counted(_request: Request) -> Response:
        text = metrics() + volume_metrics(await volumes.look()).encode()
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def add_usage(
    app: Routes,
    meter: Meter,
    workers: Workers,
    clock: Clock,
    *,
    node_name: str,
    volumes: VolumeMeter,
) -> None:
    """All these routes."""

    @app.get("/stats/summary")
    async def whole(_request: Request) -> Response:
        await meter.settled()
        found = await meter.containers()
        body = summary(
            meter.node(),
            found,
            node_name=node_name,
            traffic=_traffic(found),
            now=clock.wall(),
        )
        add_volumes(body, await volumes.look(), clock.wall())
        return _json(body)

    @app.get("/metrics/resource")
    async def resource(_request: Request) -> PlainTextResponse:
        found = await meter.containers()
        return PlainTextResponse(resource_metrics(meter.node(), found, clock.wall()))

    @app.get("/stats")
    @app.get("/stats/")
    async def machine(_request: Request) -> Response:
        return _json(old_stats("/", meter.node().usage, clock.wall()))

    @app.get("/stats/{pod}/{container}")
    @app.get("/stats/{namespace}/{pod}/{uid}/{container}")
    async def one(request: Request) -> Response:
        path = request.path_params
        namespace, pod = path.get("namespace", "default"), path["pod"]
        worker = workers.find(namespace, pod)
        if worker is None or worker.pod.metadata.uid != path.get("uid", worker.pod.metadata.uid):
            return PlainTextResponse("Pod does not exist\n", status_code=404)
        names = {c.name for c in (*worker.pod.spec.containers, *worker.pod.spec.initContainers)}
        if path["container"] not in names:
            return PlainTextResponse("Container does not exist\n", status_code=404)
        uid = worker.pod.metadata.uid
        for found in await meter.containers():
            if _is(found, uid, path["container"]):
                place = f"/{found.container.id}"
                return _json(old_stats(place, found.usage, clock.wall()))
        return _json({})

    @app.get("/spec")
    @app.get("/spec/")
    async def spec(_request: Request) -> Response:
        return _json(
            {
                "num_cores": os.cpu_count() or 1,
                "memory_capacity": memory_total((PROC / "meminfo").read_text()),
            }
        )


def old_stats(name: str, usage: Usage, now: float) -> dict[str, Any]:
    """A sample in cAdvisor's words of 2014."""
    return {
        "name": name,
        "spec": {"has_cpu": True, "has_memory": True},
        "stats": [
            {
                "timestamp": rfc3339(now),
                "cpu": {"usage": {"total": usage.cpu_ns or 0}},
                "memory": {
                    "usage": usage.memory_bytes or 0,
                    "working_set": usage.working_set_bytes or 0,
                },
            }
        ],
    }


def _is(found: Metered, uid: str, container: str) -> bool:
    known = found.container.marks
    return known.get(marks.POD_UID) == uid and known.get(marks.CONTAINER_NAME) == container


def _traffic(found: list[Metered]) -> dict[str, Traffic]:
    boxes = [
        one.container
        for one in found
        if one.container.marks.get(marks.CONTAINER_NAME) == marks.SANDBOX_NAME
    ]
    pairs = ((box.marks.get(marks.POD_UID, ""), traffic_of(box.pid)) for box in boxes)
    return {uid: traffic for uid, traffic in pairs if traffic is not None}


def _json(body: Any) -> Response:
    return Response(jsonio.dumps(body), media_type="application/json")
