"""Looking into a node, as the first kubelets let one.

    GET /podInfo?podID=&podNamespace=       the containers of a pod, in the words of 2014
    GET /api/v1beta1/podInfo                the same
    GET /boundPods                          all pods of this node, every source, likewise
    GET /runningpods/                       pods with a running container, as a PodList
    GET, POST /run/<namespace>/<pod>[/<uid>]/<container>?cmd=   a command's output
    GET /logs/<path>                        files under /var/log

The name of a static pod is the manifest's, followed by the node's name.
"""

import asyncio
import html
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from appliance.api.kinds.core.pod.status import ContainerStatus, PodStatus
from appliance.kit import jsonio
from appliance.node.pods.everyone import every_status
from appliance.node.pods.logs import LogFault
from appliance.node.pods.workers import Workers
from appliance.node.runtimes.base import Runtime, RuntimeFault
from appliance.node.serve.places import find_pod, running_id
from appliance.node.serve.routes import Routes

VAR_LOG = Path("/var/log")
RUN_S = 120.0
"""A command that takes longer is killed."""


def add_inspection(
    app: Routes, workers: Workers, runtime: Runtime, *, node_name: str, logs: Path = VAR_LOG
) -> None:
    """All these routes."""
    _add_pods(app, workers, node_name)
    _add_run(app, workers, runtime)
    _add_logs(app, logs)


def _add_pods(app: Routes, workers: Workers, node_name: str) -> None:
    @app.get("/podInfo")
    @app.get("/api/v1beta1/podInfo")
    async def info(request: Request) -> Response:
        query = request.query_params
        pod = query.get("podID", "")
        namespace = query.get("podNamespace", "")
        if not pod or not namespace:
            missing = "podNamespace" if pod else "podID"
            return PlainTextResponse(f"missing {missing}= query parameter\n", status_code=400)
        worker = workers.find(namespace, pod)
        if worker is None:
            return PlainTextResponse("Pod does not exist\n", status_code=404)
        return _json(pod_info(worker.memory.last))

    @app.get("/boundPods")
    async def bound(_request: Request) -> Response:
        items = [
            {
                "id": w.pod.metadata.name,
                "namespace": w.pod.metadata.namespace,
                "uid": w.pod.metadata.uid,
                "annotations": w.pod.metadata.annotations,
                "spec": w.pod.spec,
            }
            for w in workers.by_uid.values()
        ]
        kind = {"kind": "BoundPods", "apiVersion": "v1beta1", "host": node_name}
        return _json(kind | {"items": items})

    @app.get("/runningpods")
    @app.get("/runningpods/")
    async def running(_request: Request) -> Response:
        items = [
            {"metadata": {f: getattr(w.pod.metadata, f) for f in ("name", "namespace", "uid")},
             "spec": {"containers": [c for c in w.pod.spec.containers if c.name in alive]}}
            for w in workers.by_uid.values()
            if (alive := _alive(w.memory.last))
        ]  # fmt: skip
        return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})


def _add_run(app: Routes, workers: Workers, runtime: Runtime) -> None:
    @app.on("/run/{namespace}/{pod}/{container}", ("GET", "POST"))
    @app.on("/run/{namespace}/{pod}/{uid}/{container}", ("GET", "POST"))
    async def run(request: Request) -> Response:
        path = request.path_params
        words = request.query_params.get("cmd", "").split()
        if not words:
            return PlainTextResponse("missing cmd= query parameter\n", status_code=400)
        try:
            worker = find_pod(workers, path["namespace"], path["pod"])
            uid = worker.pod.metadata.uid
            if path.get("uid", uid) != uid:
                return PlainTextResponse("Pod does not exist\n", status_code=404)
            place = (path["namespace"], path["pod"], path["container"])
            done = await runtime.exec(running_id(workers, *place), words, RUN_S)
        except LogFault as fault:
            return PlainTextResponse(str(fault), status_code=fault.code)
        except (RuntimeFault, TimeoutError) as fault:
            return PlainTextResponse(str(fault), status_code=500)
        return Response(
            done.output, status_code=500 if done.exit_code else 200, media_type="text/plain"
        )


def _add_logs(app: Routes, logs: Path) -> None:
    @app.get("/logs/{path:path}")
    async def log_file(request: Request) -> Response:
        return await asyncio.to_thread(_log_file, logs, request.path_params["path"])


def _log_file(logs: Path, path: str) -> Response:
    root = logs.resolve()
    wanted = (root / path).resolve()
    # A link that leads out of the folder would show any file of the host.
    if not wanted.is_relative_to(root) or not wanted.exists():
        return PlainTextResponse("404 page not found\n", status_code=404)
    if wanted.is_file():
        return FileResponse(wanted, media_type="text/plain")
    names = sorted(f"{p.name}/" if p.is_dir() else p.name for p in wanted.iterdir())
    links = (f'<a href="{html.escape(n)}">{html.escape(n)}</a>\n' for n in names)
    return HTMLResponse(f"<pre>\n{''.join(links)}</pre>\n")


def pod_info(status: PodStatus) -> dict[str, Any]:
    """Container name → its status in the words of 2014; the pause container is `net`."""
    made = {one.name: _old_status(one) for one in every_status(status)}
    net: dict[str, Any] = {"state": {"running": {}}} if status.podIP else {"state": {"waiting": {}}}
    made["net"] = net | {"restartCount": 0, "podIP": status.podIP}
    return made


def _old_status(one: ContainerStatus) -> dict[str, Any]:
    state: dict[str, Any] = {}
    if one.state.running is not None:
        state["running"] = {"startedAt": one.state.running.startedAt}
    if one.state.waiting is not None:
        state["waiting"] = {"reason": one.state.waiting.reason}
    if (end := one.state.terminated) is not None:
        state["termination"] = {
            "exitCode": end.exitCode,
            "reason": end.reason,
            "message": end.message,
            "startedAt": end.startedAt,
            "finishedAt": end.finishedAt,
        }
    return {
        "state": state,
        "restartCount": one.restartCount,
        "image": one.image,
        "containerID": one.containerID,
    }


def _alive(status: PodStatus) -> set[str]:
    return {s.name for s in status.containerStatuses if s.state.running is not None}


def _json(body: Any) -> Response:
    return Response(jsonio.dumps(body), media_type="application/json")
