"""Services of type LoadBalancer: the ready nodes are the balancer, their addresses the ways in.

Proxies open a service's ports on each address that its status names. An address has each port
once: of services that want the same one the oldest has it, the others wait and an Event says for
whom. Ports that the host itself needs (ssh, the API) are never given away. Services that name a
`loadBalancerClass` are somebody else's.

There is one key: who has which port can only be decided over all services together.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from appliance.api.errors import NotFound
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.core.service_spec import LoadBalancerIngress
from appliance.api.objects import is_true
from appliance.client.base import Client
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import WARNING, Recorder, reference
from appliance.client.informer import Informers

_ALL = "all"
_TYPE = "LoadBalancer"
Port = tuple[str, int]
"""Protocol and number."""


class LoadBalancers:
    """Writes `status.loadBalancer` of services."""

    name = "loadbalancers"

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        recorder: Recorder,
        reserved: Collection[int] = (),
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._reserved = frozenset(reserved)
        self._services = informers.of(SERVICE)
        self._nodes = informers.of(NODE)
        self._refused: dict[str, str] = {}

    def watches(self) -> Sequence[Watch]:
        """Services that are or were balanced, and what nodes offer."""
        return [
            Watch(self._services, lambda _: [_ALL], only=_concerns_us),
            Watch(self._nodes, lambda _: [_ALL], only=lambda o, n: _ways(o) != _ways(n)),
        ]

    async def reconcile(self, key: str) -> Result:  # noqa: ARG002 - there is but one
        """Bring every service's status to what it is given."""
        services = self._services.cache.list()
        ingress = ways_in(self._nodes.cache.list())
        refused = refusals(services, self._reserved)
        for service in services:
            if service.spec.loadBalancerClass is None:
                uid = service.metadata.uid
                given = ingress if _is_balanced(service) and uid not in refused else []
                await self._give(service, given)
                if (why := refused.get(uid)) is not None and self._refused.get(uid) != why:
                    about = reference(SERVICE, service)
                    self._recorder.record(about, WARNING, "SyncLoadBalancerFailed", why)
        self._refused = refused
        return DONE

    async def _give(self, service: Service, ingress: list[LoadBalancerIngress]) -> None:
        if service.status.loadBalancer.ingress == ingress:
            return
        meta = service.metadata
        body = {"status": {"loadBalancer": {"ingress": msgspec.to_builtins(ingress) or None}}}
        try:
            await self._client.patch(
                SERVICE, meta.name, body, namespace=meta.namespace, subresource="status"
            )
        except NotFound:
            return  # it went meanwhile


def ways_in(nodes: Iterable[Node]) -> list[LoadBalancerIngress]:
    """Addresses of the ready nodes, in order."""
    return [
        LoadBalancerIngress(ip=ip, ipMode="VIP")
        for ip in sorted({ip for node in nodes for ip in _ways(node)})
    ]


def refusals(services: Iterable[Service], reserved: Collection[int]) -> dict[str, str]:
    """Why a service gets no balancer, by uid."""
    holders: dict[Port, Service] = {}
    refused: dict[str, str] = {}
    for service in sorted(filter(_is_balanced, services), key=_age):
        ports = _ports(service)
        if why := _clash(ports, holders, reserved):
            refused[service.metadata.uid] = why
        else:
            holders |= dict.fromkeys(ports, service)
    return refused


def _clash(ports: list[Port], holders: dict[Port, Service], reserved: Collection[int]) -> str:
    for port in ports:
        if port[1] in reserved:
            return f"port {port[1]} is the host's own; take another one"
        if (holder := holders.get(port)) is not None:
            name = f"{holder.metadata.namespace}/{holder.metadata.name}"
            return f"port {port[1]}/{port[0]} of the nodes belongs to the service {name}"
    return ""


def _ports(service: Service) -> list[Port]:
    return [(port.protocol or "TCP", port.port) for port in service.spec.ports]


def _age(service: Service) -> tuple[str, str]:
    return service.metadata.creationTimestamp or "", service.metadata.uid


def _is_balanced(service: Service) -> bool:
    return (
        service.spec.type == _TYPE
        and service.spec.loadBalancerClass is None
        and service.metadata.deletionTimestamp is None
    )


def _concerns_us(old: Service | None, new: Service | None) -> bool:
    return any(
        service is not None and (service.spec.type == _TYPE or service.status.loadBalancer.ingress)
        for service in (old, new)
    )


def _ways(node: Node | None) -> tuple[str, ...]:
    if node is None or not is_true(node.status.conditions, "Ready"):
        return ()
    return tuple(a.address for a in node.status.addresses if a.type == "InternalIP")
