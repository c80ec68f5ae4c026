"""Services: an address in the cluster and ports on the nodes.

One writer at a time: from picking an address until its Service is visible, no other Service is
written (`turn`). Source: kubernetes `pkg/registry/core/service/storage/alloc.go`.
"""

import ipaddress
import random
from collections.abc import Iterable
from typing import Any

from typing_extensions import override

from appliance.api import errors, faults
from appliance.api.errors import Cause
from appliance.api.kinds.core.service import SERVICE, Service, ServiceSpec
from appliance.api.kinds.core.service_rules import (
    needs_cluster_ip,
    needs_health_port,
    needs_node_ports,
)
from appliance.control.options import ControlOptions
from appliance.control.registry.allocate import address_band, port_band
from appliance.control.registry.storage import Storage
from appliance.control.registry.strategy import Strategy
from appliance.control.registry.turns import Turn

HEADLESS = "None"
_TAKEN = "provided port is already allocated"


class ServiceStrategy(Strategy):
    """Hands out clusterIP and nodePort."""

    def __init__(self, storage: Storage, *, options: ControlOptions, rng: random.Random) -> None:
        self._storage = storage
        self._rng = rng
        self._turn = storage.turn("services")
        self._network = ipaddress.ip_network(options.service_cidr)
        self._addresses = address_band(options.service_cidr)
        self._ports = port_band(*options.node_ports)

    @override
    def turn(self) -> Turn:
        return self._turn

    @override
    async def allocate(self, new: Service, old: Service | None, *, dry_run: bool) -> None:
        wants_address = needs_cluster_ip(new.spec)
        if wants_address:
            _refuse_second_family(new)
            _set_families(new.spec, f"IPv{self._network.version}")
        wants_ports = needs_node_ports(new.spec)
        wants_health = needs_health_port(new.spec)
        if old is not None and _is_settled(new.spec, old.spec):
            return  # nothing to look for, as in nearly every update
        others = await self._others(new)
        rng = None if dry_run else self._rng
        if wants_address and new.spec.clusterIP != HEADLESS:
            self._give_address(new, others, rng)
        if wants_ports:
            self._give_ports(new, others, rng)
        if wants_health:
            self._give_health_port(new, others, rng)

    async def _others(self, new: Service) -> list[ServiceSpec]:
        cache = await self._storage.current(SERVICE)
        mine = (new.metadata.namespace, new.metadata.name)
        return [
            item.obj.spec
            for item in cache.items()
            if (item.obj.metadata.namespace, item.obj.metadata.name) != mine
        ]

    def _give_address(
        self, new: Service, others: list[ServiceSpec], rng: random.Random | None
    ) -> None:
        spec = new.spec
        taken = {int(a) for s in others if (a := _address(s.clusterIP)) is not None}
        if not spec.clusterIP:
            number = self._addresses.pick(taken, rng)
            if number is None:
                why = "failed to allocate a serviceIP: range is full"
                raise errors.InternalError(why)
            spec.clusterIP = str(ipaddress.ip_address(number))
        else:
            self._check_address(new, taken)
        spec.clusterIPs = spec.clusterIPs or [spec.clusterIP]

    def _check_address(self, new: Service, taken: set[int]) -> None:
        wanted = _address(new.spec.clusterIP)
        if wanted is None:
            return  # validation says so in better words
        why = ""
        if wanted not in self._network:
            why = f"the provided network does not match the current range {self._network}"
        elif int(wanted) not in self._addresses:
            why = "the provided IP is not in the valid range"
        elif int(wanted) in taken:
            why = "provided IP is already allocated"
        if why:
            text = f'["{wanted}"]: failed to allocate IP {wanted}: {why}'
            _refuse(new, [Cause("FieldValueInvalid", f"Invalid value: {text}", "spec.clusterIPs")])

    def _give_ports(
        self, new: Service, others: list[ServiceSpec], rng: random.Random | None
    ) -> None:
        taken = set(_node_ports(others))
        causes: list[Cause] = []
        given: dict[int, set[str]] = {}
        for index, port in enumerate(new.spec.ports):
            if not port.nodePort:
                continue
            path = f"spec.ports[{index}].nodePort"
            # one number may serve TCP and UDP of the same Service
            same_service = port.nodePort in given and port.protocol not in given[port.nodePort]
            given.setdefault(port.nodePort, set()).add(port.protocol)
            if port.nodePort not in self._ports:
                causes.append(faults.wrong(path, port.nodePort, self._out_of_range()))
            elif port.nodePort in taken and not same_service:
                causes.append(faults.wrong(path, port.nodePort, _TAKEN))
        _refuse(new, causes)
        self._draw_ports(new, taken | set(given), rng)

    def _give_health_port(
        self, new: Service, others: list[ServiceSpec], rng: random.Random | None
    ) -> None:
        spec = new.spec
        taken = set(_node_ports(others)) | {port.nodePort for port in spec.ports if port.nodePort}
        if not spec.healthCheckNodePort:
            number = self._ports.pick(taken, rng)
            if number is None:
                raise errors.InternalError("failed to allocate a nodePort: range is full")
            spec.healthCheckNodePort = number
        elif spec.healthCheckNodePort not in self._ports or spec.healthCheckNodePort in taken:
            path = "spec.healthCheckNodePort"
            why = _TAKEN if spec.healthCheckNodePort in taken else self._out_of_range()
            _refuse(new, [faults.wrong(path, spec.healthCheckNodePort, why)])

    def _out_of_range(self) -> str:
        return (
            "provided port is not in the valid range. The range of valid ports is "
            f"{self._ports.first}-{self._ports.last}"
        )

    def _draw_ports(self, new: Service, taken: set[int], rng: random.Random | None) -> None:
        drawn: dict[int, int] = {}  # port number → node port: TCP and UDP of one port share it
        for port in new.spec.ports:
            if port.nodePort:
                drawn.setdefault(port.port, port.nodePort)
                continue
            number = drawn.get(port.port) or self._ports.pick(taken, rng)
            if number is None:
                raise errors.InternalError("failed to allocate a nodePort: range is full")
            port.nodePort = drawn[port.port] = number
            taken.add(number)


def _is_settled(new: ServiceSpec, old: ServiceSpec) -> bool:
    """Whether an update asks for nothing that the Service does not have already."""
    same_address = not needs_cluster_ip(new) or (
        bool(new.clusterIP) and new.clusterIP == old.clusterIP
    )
    same_ports = not needs_node_ports(new) or (
        new.ports == old.ports and all(p.nodePort for p in new.ports)
    )
    same_health = not needs_health_port(new) or (
        bool(new.healthCheckNodePort) and new.healthCheckNodePort == old.healthCheckNodePort
    )
    return same_address and same_ports and same_health


def _refuse_second_family(service: Service) -> None:
    spec = service.spec
    by_hand = spec.clusterIP == HEADLESS and not spec.selector
    if spec.ipFamilyPolicy == "RequireDualStack" and not by_hand:
        why = "this cluster is not configured for dual-stack services"
        _refuse(service, [faults.wrong("spec.ipFamilyPolicy", spec.ipFamilyPolicy, why)])


def _set_families(spec: ServiceSpec, family: str) -> None:
    """Fill in what follows from a cluster with one family of addresses."""
    if spec.clusterIP == HEADLESS:
        spec.clusterIPs = spec.clusterIPs or [HEADLESS]
        if not spec.selector and not spec.ipFamilyPolicy and not spec.ipFamilies:
            # whoever writes the endpoints by hand may use either family
            spec.ipFamilyPolicy, spec.ipFamilies = "RequireDualStack", [family, _other(family)]
            return
    if spec.clusterIP and not spec.clusterIPs:
        spec.clusterIPs = [spec.clusterIP]
    spec.ipFamilyPolicy = spec.ipFamilyPolicy or "SingleStack"
    spec.ipFamilies = spec.ipFamilies or [family]


def _other(family: str) -> str:
    return "IPv6" if family == "IPv4" else "IPv4"


def _address(text: str) -> Any:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _node_ports(specs: Iterable[ServiceSpec]) -> Iterable[int]:
    for spec in specs:
        yield from (port.nodePort for port in spec.ports if port.nodePort)
        if spec.healthCheckNodePort:
            yield spec.healthCheckNodePort


def _refuse(service: Service, causes: list[Cause]) -> None:
    if causes:
        raise errors.invalid(SERVICE.kind, SERVICE.group, service.metadata.name, causes)
