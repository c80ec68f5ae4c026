"""exec, attach and port-forward: the client's connection joined to one with the pod's node.

The node speaks with the client; the API server finds the node, asks it the same question over
its own connection, and once the node has switched protocols carries bytes both ways without
looking at them. So it knows no framing, and a slow side slows the other down.
Nothing is kept: a stream lasts until either side ends it or the server stops.

Source: kubernetes `registry/core/pod/strategy.go` (streamLocation) and apimachinery's
`util/proxy/upgradeaware.go`, whose messages kubectl prints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import structlog

from appliance.api.errors import BadRequest, InternalError, from_status
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.control.http.exchange import Exchange
from appliance.control.http.params import Params
from appliance.control.http.streams import NodeConnections, choose_container, node_url
from appliance.control.registry.base import Registry
from appliance.kit.duplex import Duplex, splice
from appliance.kit.takeover import take_over
from appliance.kit.upgrading import (
    Answer,
    NotHttp,
    ask,
    refusal,
    request_bytes,
    wants_upgrade,
)

log = structlog.get_logger(__name__)

_NODE_PATHS = {"exec": "exec", "attach": "attach", "portforward": "portForward"}
_PASSED_ON = ("command", "stdin", "stdout", "stderr", "tty")
_HEADERS_TO_NODE = (
    b"upgrade",
    b"sec-websocket-key",
    b"sec-websocket-version",
    b"sec-websocket-protocol",
    b"x-stream-protocol-version",
)
_HEADERS_TO_CLIENT = (
    "upgrade",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "x-stream-protocol-version",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrades:
    """Answers pods/<name>/exec, attach and portforward."""

    registry: Registry
    nodes: NodeConnections | None

    async def handle(self, exchange: Exchange) -> None:
        """Find pod, container and node, and join the connections."""
        target = exchange.target
        pod = (await self.registry.get(POD, target.namespace, target.name)).obj
        path = node_path(pod, target.subresource, exchange.params)
        if not pod.spec.nodeName:
            raise BadRequest(f"pod {target.name} does not have a host assigned")
        if not wants_upgrade(exchange.headers):
            raise BadRequest("Upgrade request required")
        if self.nodes is None:
            raise InternalError("this server has no connection to nodes")
        node = (await self.registry.get(NODE, "", pod.spec.nodeName)).obj
        base = node_url(node)
        try:
            towards = await self.nodes.connect(base)
        except OSError as error:  # a time-out says nothing by itself
            reason = str(error) or f"no answer from {base}"
            raise InternalError(f"error dialing backend: {reason}") from error
        try:
            await _join(exchange, towards, base, path)
        finally:
            await towards.close()


async def _join(exchange: Exchange, towards: Duplex, base: str, path: str) -> None:
    request = request_bytes(exchange.scope["method"], path, node_headers(exchange.headers, base))
    try:
        answer = await ask(towards, request)
    except NotHttp as error:
        raise InternalError(f"error dialing backend: {error}") from error
    if answer.status != 101:
        said = (await refusal(towards, answer)).decode(errors="replace").strip()
        raise from_status({"code": answer.status, "message": said})
    client = take_over(exchange.scope)
    exchange.started = exchange.upgraded = True
    try:
        if await client.write(switching(answer)):
            await splice(client, towards)
    finally:
        await client.close()


def node_path(pod: Pod, subresource: str, params: Params) -> str:
    """Path and query at the node.

    Raises:
        BadRequest: no such container, or no such port.
    """
    parts = [_NODE_PATHS[subresource], pod.metadata.namespace, pod.metadata.name]
    if subresource == "portforward":
        asked = [("port", port) for text in params.all.get("ports", []) for port in text.split(",")]
        if any(not port.isdecimal() or not 0 < int(port) < 65536 for _, port in asked):
            raise BadRequest(f"invalid ports: {[port for _, port in asked]}")
    else:
        parts.append(choose_container(pod, params.one.get("container", "")))
        asked = [(name, value) for name in _PASSED_ON for value in params.all.get(name, [])]
    path = "/".join(quote(part, safe="") for part in parts)
    return f"/{path}?{urlencode(asked)}" if asked else f"/{path}"


def node_headers(headers: Mapping[bytes, bytes], base: str) -> list[tuple[str, str]]:
    """What the node has to know of the client's request: how to switch protocols, no more."""
    host = base.removeprefix("https://")
    kept = [(name, headers[name]) for name in _HEADERS_TO_NODE if name in headers]
    return [
        ("Host", host),
        ("Connection", "Upgrade"),
        *((name.decode(), value.decode("latin-1")) for name, value in kept),
    ]


def switching(answer: Answer) -> bytes:
    """Our own 101, with what the node chose."""
    kept = [(name, answer.headers[name]) for name in _HEADERS_TO_CLIENT if name in answer.headers]
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade"]
    lines += [f"{name.title()}: {value}" for name, value in kept]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
