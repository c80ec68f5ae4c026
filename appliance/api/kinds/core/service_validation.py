"""What must hold for Services. Called through the `SERVICE` kind.

Whether an address or a node port is free, and the range it must be from, is for the registry.
Source: kubernetes `pkg/apis/core/validation/validation.go`.
"""

from collections.abc import Iterator, Sequence

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.internal_form import internal_form
from appliance.api.kinds.core.service_rules import is_external, needs_cluster_ip
from appliance.api.kinds.core.service_spec import Service, ServicePort, ServiceSpec
from appliance.api.validate_meta import labels

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
TRAFFIC_POLICIES = ("Cluster", "Local")
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
AFFINITY_SECONDS_MAX = 86400
HEADLESS = "None"
ONLY_BALANCER = "may only be used when `type` is 'LoadBalancer'"


def validate(obj: Service) -> list[Cause]:
    """Give every fault of a Service."""
    spec = obj.spec
    return [
        *_ports(spec),
        *_type(spec),
        *labels(spec.selector, "spec.selector"),
        *_affinity(spec),
        *_cluster_ips(spec),
        *_external_ips(spec.externalIPs),
        *_balancer(spec),
        *_traffic(spec),
    ]


def validate_update(new: Service, old: Service) -> list[Cause]:
    """Give every fault of a write to a Service."""
    found: list[Cause] = []
    before, after = _ips(old.spec), _ips(new.spec)
    stays = needs_cluster_ip(old.spec) and needs_cluster_ip(new.spec)
    if stays and before and before != after:
        for index, (was, becomes) in enumerate(zip(before, after, strict=False)):
            if was != becomes:
                why = "may not change once set"
                found.append(faults.wrong(f"spec.clusterIPs[{index}]", after, why))
    if old.spec.type == new.spec.type == "LoadBalancer":
        wanted = new.spec.loadBalancerClass
        if wanted != old.spec.loadBalancerClass:
            path = "spec.loadBalancerClass"
            found.append(faults.wrong(path, wanted, "may not change once set"))
    return found + validate(new)


def _ips(spec: ServiceSpec) -> list[str]:
    return spec.clusterIPs or ([spec.clusterIP] if spec.clusterIP else [])


def _is_headless(spec: ServiceSpec) -> bool:
    return _ips(spec) == [HEADLESS]


def _type(spec: ServiceSpec) -> Iterator[Cause]:
    yield from checks.one_of(spec.type, TYPES, "spec.type")
    if spec.type in {"LoadBalancer", "NodePort"} and _is_headless(spec):
        why = f"may not be set to 'None' for {spec.type} services"
        yield faults.wrong("spec.clusterIPs[0]", HEADLESS, why)
    if spec.type == "ExternalName":
        if _ips(spec):
            why = "may not be set for ExternalName services"
            yield faults.forbidden("spec.clusterIPs", why)
        name = spec.externalName.removesuffix(".")
        if name:
            yield from checks.named(names.dns_subdomain, name, "spec.externalName")
        else:
            yield faults.required("spec.externalName")


def _ports(spec: ServiceSpec) -> Iterator[Cause]:
    if not spec.ports and not _is_headless(spec) and spec.type != "ExternalName":
        yield faults.required("spec.ports")
    used: set[str] = set()
    for index, port in enumerate(spec.ports):
        path = f"spec.ports[{index}]"
        yield from _port_name(port.name, used, path, needed=len(spec.ports) > 1)
        yield from checks.port(port.port, f"{path}.port")
        yield from checks.one_of(port.protocol, checks.PROTOCOLS, f"{path}.protocol")
        yield from checks.port_or_name(port.targetPort, f"{path}.targetPort")
        if port.appProtocol is not None:
            here = f"{path}.appProtocol"
            yield from checks.named(names.qualified_name, port.appProtocol, here)
        if port.nodePort and spec.type == "ClusterIP":
            why = "may not be used when `type` is 'ClusterIP'"
            yield faults.forbidden(f"{path}.nodePort", why)
    yield from _unique_ports(spec.ports)


def _port_name(name: str, used: set[str], path: str, *, needed: bool) -> Iterator[Cause]:
    if not name:
        if needed:
            yield faults.required(f"{path}.name")
        return
    yield from checks.named(names.dns_label, name, f"{path}.name")
    if name in used:
        yield faults.duplicate(f"{path}.name", name)
    used.add(name)


def _unique_ports(ports: Sequence[ServicePort]) -> Iterator[Cause]:
    seen: set[tuple[str, int]] = set()
    nodes: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        key = (port.protocol, port.port)
        if key in seen:
            shown = internal_form(ServicePort(protocol=port.protocol, port=port.port))
            yield faults.duplicate(f"spec.ports[{index}]", shown)
        seen.add(key)
        claim = (port.protocol, port.nodePort)
        if port.nodePort and claim in nodes:
            yield faults.duplicate(f"spec.ports[{index}].nodePort", port.nodePort)
        nodes.add(claim)


def _affinity(spec: ServiceSpec) -> Iterator[Cause]:
    yield from checks.one_of(spec.sessionAffinity, ("ClientIP", "None"), "spec.sessionAffinity")
    path = "spec.sessionAffinityConfig"
    config = spec.sessionAffinityConfig
    if spec.sessionAffinity == "None" and config is not None:
        yield faults.forbidden(path, "must not be set when session affinity is None")
    if spec.sessionAffinity != "ClientIP":
        return
    seconds = config.clientIP.timeoutSeconds if config and config.clientIP else None
    if seconds is None:
        yield faults.required(path, "when session affinity type is ClientIP")
    elif not 0 < seconds <= AFFINITY_SECONDS_MAX:
        why = f"must be greater than 0 and less than {AFFINITY_SECONDS_MAX}"
        yield faults.wrong(f"{path}.clientIP.timeoutSeconds", seconds, why)


def _cluster_ips(spec: ServiceSpec) -> Iterator[Cause]:
    if not needs_cluster_ip(spec):
        return
    addresses = _ips(spec)
    if spec.clusterIP and spec.clusterIPs and spec.clusterIP != spec.clusterIPs[0]:
        yield faults.wrong("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    for index, address in enumerate(addresses):
        path = f"spec.clusterIPs[{index}]"
        if address != HEADLESS:
            yield from checks.ip(address, path)
        elif len(addresses) > 1:
            yield faults.wrong(path, HEADLESS, "'None' must be the first and only value")
    if len(addresses) > 2:
        why = "may only hold up to 2 values"
        yield faults.wrong("spec.clusterIPs", addresses, why)


def _external_ips(addresses: Sequence[str]) -> Iterator[Cause]:
    for index, address in enumerate(addresses):
        path = f"spec.externalIPs[{index}]"
        broken = list(checks.ip(address, path))
        yield from broken or checks.special_ip(address, path)


def _balancer(spec: ServiceSpec) -> Iterator[Cause]:
    for index, source in enumerate(spec.loadBalancerSourceRanges):
        yield from checks.cidr(source.strip(), f"spec.loadBalancerSourceRanges[{index}]")
    if spec.type == "LoadBalancer":
        return
    for name in (
        "loadBalancerSourceRanges",
        "allocateLoadBalancerNodePorts",
        "loadBalancerClass",
    ):
        if getattr(spec, name) not in (None, []):
            yield faults.forbidden(f"spec.{name}", ONLY_BALANCER)


def _traffic(spec: ServiceSpec) -> Iterator[Cause]:
    path = "spec.externalTrafficPolicy"
    if is_external(spec):
        yield from checks.one_of(spec.externalTrafficPolicy, TRAFFIC_POLICIES, path)
    elif spec.externalTrafficPolicy:
        why = "may only be set for externally-accessible services"
        yield faults.wrong(path, spec.externalTrafficPolicy, why)
    if spec.healthCheckNodePort and not (
        spec.type == "LoadBalancer" and spec.externalTrafficPolicy == "Local"
    ):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield faults.wrong("spec.healthCheckNodePort", spec.healthCheckNodePort, why)
    policy = spec.internalTrafficPolicy
    if needs_cluster_ip(spec) or policy is not None:
        yield from checks.one_of(policy or "", TRAFFIC_POLICIES, "spec.internalTrafficPolicy")
    if spec.trafficDistribution is not None and spec.trafficDistribution not in DISTRIBUTIONS:
        yield faults.unsupported(
            "spec.trafficDistribution", spec.trafficDistribution, DISTRIBUTIONS
        )
