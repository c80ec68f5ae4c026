"""Container logs: passed on from the node that runs the pod, byte by byte.

`NodeConnections` (which `upgrades` uses, too) holds the HTTPS client towards nodes, with the API
server's own certificate; `assembly` makes and closes it. Nothing is kept: a follow lasts as long
as its client.
Source: kubernetes `registry/core/pod/strategy.go` (LogLocation), whose messages kubectl prints.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import structlog

from appliance.api.errors import ApiError, BadRequest, InternalError, from_status
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.control.http.exchange import Exchange
from appliance.control.http.params import Params
from appliance.control.http.streaming import finish, run_until_ended, send_chunk, start
from appliance.control.registry.base import Registry
from appliance.kit.duplex import Duplex, connect

log = structlog.get_logger(__name__)

_CONNECT_S = 5.0  # a node on the same network answers at once, or is away
_PASSED_ON = (
    "follow",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "stream",
    "tailLines",
    "timestamps",
)
_HEADERS = [(b"content-type", b"text/plain"), (b"cache-control", b"no-cache, private")]
_ERROR_BYTES = 4096  # of a node's error text that are shown


class NodeConnections:
    """HTTPS towards the agents of all nodes."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
        timeout = httpx.Timeout(None, connect=_CONNECT_S)  # a followed log may be silent for hours
        self.http = httpx.AsyncClient(verify=tls, limits=limits, timeout=timeout, trust_env=False)
        self.tls = tls

    async def connect(self, base: str) -> Duplex:
        """A raw TLS connection of the caller's own to where `node_url` points.

        Raises:
            OSError: nobody answers there, or not in time.
        """
        place = urlsplit(base)
        async with asyncio.timeout(_CONNECT_S):
            return await connect(place.hostname or "", place.port or 443, self.tls)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.http.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Answers GET pods/<name>/log."""

    registry: Registry
    nodes: NodeConnections | None

    async def handle(self, exchange: Exchange) -> None:
        """Find pod, container and node, and pass the node's answer on."""
        target = exchange.target
        item = await self.registry.get(POD, target.namespace, target.name)
        pod = item.obj
        container = choose_container(pod, exchange.params.one.get("container", ""))
        options = log_options(exchange.params)
        if not pod.spec.nodeName:  # not scheduled yet: upstream answers nothing at all
            await exchange.answer_bytes(b"", b"text/plain")
            return
        node = (await self.registry.get(NODE, "", pod.spec.nodeName)).obj
        url = log_url(node_url(node), pod, container, options)
        await self._pass_on(exchange, url)

    async def _pass_on(self, exchange: Exchange, url: str) -> None:
        if self.nodes is None:
            raise InternalError("this server has no connection to nodes")
        try:
            async with self.nodes.http.stream("GET", url) as answer:
                if answer.status_code >= 300:
                    raise await _fault_of_node(answer)
                await start(exchange, _HEADERS)
                await run_until_ended(exchange, _copy(exchange, answer))
        except httpx.HTTPError as error:
            raise InternalError(f'Get "{url}": {str(error) or type(error).__name__}') from error
        await finish(exchange)


async def _copy(exchange: Exchange, answer: httpx.Response) -> None:
    """Pass on what comes; a node that is lost in the middle ends the log."""
    try:
        async for chunk in answer.aiter_raw():
            await send_chunk(exchange, chunk)
    except httpx.HTTPError as error:
        log.warning("a node cut off a log", path=exchange.target.path, why=str(error))


async def _fault_of_node(answer: httpx.Response) -> ApiError:
    """Turn an answer of the node other than success into ours; its text is the message."""
    raw = (await answer.aread())[:_ERROR_BYTES].decode(errors="replace").strip()
    return from_status({"code": answer.status_code, "message": raw})


def choose_container(pod: Pod, named: str) -> str:
    """Which container is meant.

    Raises:
        BadRequest: several and none is named, or there is none of that name.
    """
    containers = [c.name for c in pod.spec.containers]
    initial = [c.name for c in pod.spec.initContainers]
    ephemeral = [c.name for c in pod.spec.ephemeralContainers]
    name = pod.metadata.name
    if not named:
        if len(containers) == 1 and not initial and not ephemeral:
            return containers[0]
        message = f"a container name must be specified for pod {name}, choose one of: "
        message += "[" + " ".join(containers) + "]"
        if initial:
            message += f" or one of the init containers: [{' '.join(initial)}]"
        if ephemeral:
            message += f" or one of the ephemeral containers: [{' '.join(ephemeral)}]"
        raise BadRequest(message)
    if named not in {*containers, *initial, *ephemeral}:
        raise BadRequest(f"container {named} is not valid for pod {name}")
    return named


def log_options(params: Params) -> dict[str, str]:
    """What the node is told of the query.

    Raises:
        BadRequest: a number is none.
    """
    for number in ("limitBytes", "sinceSeconds", "tailLines"):
        params.number(number)
    return {name: params.one[name] for name in _PASSED_ON if params.one.get(name)}


def node_url(node: Node) -> str:
    """Where the agent of a node answers.

    Raises:
        InternalError: it has not said so yet.
    """
    port = node.status.daemonEndpoints.kubeletEndpoint.Port
    address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
    if not address or not port:
        raise InternalError(f"node {node.metadata.name} has not reported where its agent answers")
    host = f"[{address}]" if ":" in address else address
    return f"https://{host}:{port}"


def log_url(base: str, pod: Pod, container: str, options: Mapping[str, Any]) -> str:
    """URL of a container's log at its node."""
    parts = (pod.metadata.namespace, pod.metadata.name, container)
    path = "/".join(quote(part, safe="") for part in parts)
    query = f"?{urlencode(options)}" if options else ""
    return f"{base}/containerLogs/{path}{query}"
