"""Take manifests by POST, as the first kubelets did.

    POST /container    one manifest
    POST /containers   a list of them; [] stops all that were posted

Each replaces what was posted before. The answer names the pods; a body that is no manifest gets
500, which is what clients of the time look for, and stops nothing.
"""

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from appliance.kit import jsonio
from appliance.node.serve.routes import Routes
from appliance.node.sources.manifest import SIZE_MAX, ManifestFault
from appliance.node.sources.push import PushSource

log = structlog.get_logger(__name__)


def add_manifests(app: Routes, pushed: PushSource) -> None:
    """The two routes."""

    @app.on("/container", ("POST",))
    @app.on("/containers", ("POST",))
    async def take(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > SIZE_MAX:
                return _refused(f"the body is larger than {SIZE_MAX} bytes")
        try:
            names = pushed.take(body)
        except ManifestFault as fault:
            return _refused(str(fault))
        log.info("manifests posted", pods=names)
        return Response(jsonio.dumps({"pods": names}), media_type="application/json")


def _refused(why: str) -> Response:
    log.warning("manifest refused", place="POST", why=why, pods="those that run stay")
    return PlainTextResponse(f"manifest refused: {why}\n", status_code=500)
