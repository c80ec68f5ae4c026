"""The proxies of pods, services and nodes: `…/pods/[scheme:]name[:port]/proxy/path`.

Finds out where a URL leads; `forwarding` carries it there. Service endpoints are chosen by chance.
Source: kubernetes `pkg/registry/core/{pod,service,node}/rest`, whose messages these are.
"""

import ipaddress
import random
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.api.errors import BadRequest
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.service import SERVICE
from appliance.control.aggregation.places import places_behind
from appliance.control.http.exchange import Exchange
from appliance.control.http.forwarding import Forwarder, Place
from appliance.control.http.streams import node_url
from appliance.control.registry.base import Registry

_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class Named:
    """`https:web:8443`, taken apart."""

    scheme: str
    name: str
    port: str


def take_apart(text: str) -> Named:
    """Read the name in a URL.

    Raises:
        BadRequest: it is none.
    """
    parts = text.split(":")
    if len(parts) == 3 and parts[0] in {"", *_SCHEMES} and parts[1]:
        return Named(*parts)
    if len(parts) in {1, 2} and parts[0]:
        return Named("", parts[0], parts[1] if len(parts) == 2 else "")
    raise BadRequest(f'invalid request name "{text}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Answers the sub-resource proxy."""

    registry: Registry
    forwarder: Forwarder
    nodes_tls: ssl.SSLContext | None
    rng: random.Random

    async def handle(self, exchange: Exchange) -> None:
        """Find the place and pass the request on."""
        target = exchange.target
        prefix, rest = split_path(exchange)
        if not rest and exchange.scope["method"] in {"GET", "HEAD"}:
            where = f"{prefix}/" + _query(exchange)
            extra = ((b"location", where.encode("latin-1", "replace")),)
            await exchange.answer_bytes(b"", b"", code=301, extra=extra)
            return
        find = {"pods": self._pod, "services": self._service, "nodes": self._node}
        base, tls = await find[target.resource](target.namespace, take_apart(target.name))
        url = f"{base}{rest or '/'}{_query(exchange)}"
        await self.forwarder.forward(exchange, Place(url=url, prefix=prefix, tls=tls))

    async def _pod(self, namespace: str, named: Named) -> tuple[str, ssl.SSLContext | None]:
        pod = (await self.registry.get(POD, namespace, named.name)).obj
        if not pod.status.podIP:
            raise BadRequest("address not allowed")
        port = named.port or next((str(n) for n in _ports(pod)), "80")
        return base_url(named.scheme or "http", pod.status.podIP, port), None

    async def _service(self, namespace: str, named: Named) -> tuple[str, ssl.SSLContext | None]:
        service = (await self.registry.get(SERVICE, namespace, named.name)).obj
        places = await places_behind(self.registry.lookup, service, named.port)
        address, number = self.rng.choice(places)
        return base_url(named.scheme or "http", address, str(number)), None

    async def _node(self, _namespace: str, named: Named) -> tuple[str, ssl.SSLContext | None]:
        node = (await self.registry.get(NODE, "", named.name)).obj
        own = node_url(node)
        if not named.port or own.endswith(f":{named.port}"):
            return own, self.nodes_tls
        address = own.removeprefix("https://").rpartition(":")[0].strip("[]")
        return base_url(named.scheme or "http", address, named.port), None


def _ports(pod: Pod) -> Iterator[int]:
    for container in pod.spec.containers:
        for port in container.ports:
            yield port.containerPort


def base_url(scheme: str, address: str, port: str) -> str:
    """Scheme, host and port; not those of this host itself, nor what only neighbours see.

    Raises:
        BadRequest: nobody may be led there.
    """
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadRequest(f'invalid port "{port}"')
    if not is_allowed(address):
        raise BadRequest("address not allowed")
    return f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}"


def is_allowed(address: str) -> bool:
    """Whether requests may be passed on to an address: not if it is this host's own business."""
    found = ipaddress.ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    own = found.is_loopback or found.is_link_local
    return not (own or found.is_multicast or found.is_unspecified)


def _query(exchange: Exchange) -> str:
    given: bytes = exchange.scope["query_string"]
    return f"?{given.decode('latin-1')}" if given else ""


def split_path(exchange: Exchange) -> tuple[str, str]:
    """The path up to `/proxy`, and what follows it, as the client has written them."""
    raw: bytes = exchange.scope.get("raw_path") or exchange.target.path.encode()
    parts = raw.decode("latin-1").partition("?")[0].split("/")
    # ["", "api", "v1", ("namespaces", ns,) resource, name, "proxy", …]
    count = 8 if exchange.target.has_namespace else 6
    rest = "/".join(parts[count:])
    return "/".join(parts[:count]), f"/{rest}" if len(parts) > count else ""
