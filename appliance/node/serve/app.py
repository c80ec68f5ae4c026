"""The node's HTTPS API as an ASGI application.

    GET /healthz                                    ok
    GET /pods                                       the pods that this node runs, with status
    GET /containerLogs/<namespace>/<pod>/<container>  its log; follow, tailLines, sinceSeconds,
                                                    sinceTime, timestamps, previous, limitBytes
    GET /exec/…, /attach/…, /portForward/…          streams: see `endpoints`

Called by the API server only, for `kubectl logs` and its like; who may call is checked by
`server`.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from appliance.api.kinds.core.pod.kind import Pod
from appliance.client.base import clone
from appliance.kit import jsonio
from appliance.kit.clock import Clock, parse_rfc3339
from appliance.node.pods.logs import LogFault, LogRequest, choose, read
from appliance.node.pods.worker import Worker
from appliance.node.pods.workers import Workers
from appliance.node.runtimes.base import LogOptions, NotThere, Runtime
from appliance.node.serve.endpoints import Command, PortForward
from appliance.node.serve.places import find_pod
from appliance.node.serve.routes import Routes


def build_app(workers: Workers, runtime: Runtime, clock: Clock) -> Routes:
    """All routes."""
    app = Routes()

    @app.get("/healthz")
    async def healthz(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/pods")
    async def pods(_request: Request) -> Response:
        items = [_shown(worker) for worker in workers.by_uid.values()]
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
        return Response(jsonio.dumps(body), media_type="application/json")

    @app.get("/containerLogs/{namespace}/{pod}/{container}")
    async def logs(request: Request) -> Response:
        path = request.path_params
        try:
            wanted = log_request(path["container"], request.query_params, clock.wall())
            worker = find_pod(workers, path["namespace"], path["pod"])
            container_id = choose(worker, wanted)
            await runtime.inspect(container_id)
        except LogFault as fault:
            return PlainTextResponse(str(fault), status_code=fault.code)
        except NotThere as fault:
            return PlainTextResponse(str(fault), status_code=404)
        except ValueError as fault:
            return PlainTextResponse(str(fault), status_code=400)
        return StreamingResponse(read(runtime, container_id, wanted), media_type="text/plain")

    place = "/{namespace}/{pod}/{container}"
    app.router.routes += [
        Route(f"/exec{place}", Command(workers, runtime, clock, attach=False)),
        Route(f"/attach{place}", Command(workers, runtime, clock, attach=True)),
        Route("/portForward/{namespace}/{pod}", PortForward(workers, runtime)),
    ]
    return app


def log_request(container: str, query: Mapping[str, str], now: float) -> LogRequest:
    """Read the query of a log request.

    Raises:
        ValueError: a number or a time can't be read.
    """
    since = None
    if query.get("sinceTime"):
        since = parse_rfc3339(query["sinceTime"])
    elif query.get("sinceSeconds"):
        since = now - int(query["sinceSeconds"])
    # The first kubelets said `tail`.
    tail, limit = query.get("tailLines") or query.get("tail"), query.get("limitBytes")
    stream = query.get("stream") or "All"
    options = LogOptions(
        follow=_true(query.get("follow")),
        tail_lines=int(tail) if tail else None,
        since=since,
        timestamps=_true(query.get("timestamps")),
        stdout=stream in {"All", "Stdout"},
        stderr=stream in {"All", "Stderr"},
    )
    return LogRequest(
        container=container,
        previous=_true(query.get("previous")),
        limit_bytes=int(limit) if limit else None,
        options=options,
    )


def _true(text: str | None) -> bool:
    return text in {"true", "1", "True"}


def _shown(worker: Worker) -> Any:
    pod: Pod = clone(worker.pod)
    pod.kind, pod.apiVersion = "Pod", "v1"
    pod.status = worker.memory.last
    return pod
