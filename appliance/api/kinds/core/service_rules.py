"""What holds for Services: defaults, what an update takes over, the row in a table.

Called through the `SERVICE` kind. Addresses and node ports are handed out by the registry.
Source: kubernetes `pkg/apis/core/v1/defaults.go`, `pkg/registry/core/service`, `pkg/printers`.
"""

from typing import Any

from appliance.api.kinds.cells import NONE, age, pairs
from appliance.api.kinds.core.service_spec import (
    ClientIPConfig,
    Service,
    ServicePort,
    ServiceSpec,
    SessionAffinityConfig,
)

AFFINITY_SECONDS = 10800
"""How long a client sticks to an endpoint unless the user says otherwise."""


OLD_HINTS = "service.kubernetes.io/topology-aware-hints"
NEW_HINTS = "service.kubernetes.io/topology-mode"


def needs_cluster_ip(spec: ServiceSpec) -> bool:
    """Whether a Service of this type has an address in the cluster (or says it wants none)."""
    return spec.type in ("ClusterIP", "NodePort", "LoadBalancer")


def needs_node_ports(spec: ServiceSpec) -> bool:
    """Whether a Service gets a port on every node."""
    return spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocateLoadBalancerNodePorts is not False
    )


def is_external(spec: ServiceSpec) -> bool:
    """Whether traffic from outside of the cluster can reach it."""
    return spec.type in ("NodePort", "LoadBalancer") or bool(
        spec.type == "ClusterIP" and spec.externalIPs
    )


def set_defaults(obj: Service) -> None:
    """Fill in what the user left out."""
    spec = obj.spec
    spec.sessionAffinity = spec.sessionAffinity or "None"
    spec.type = spec.type or "ClusterIP"
    _default_affinity(spec)
    for port in spec.ports:
        port.protocol = port.protocol or "TCP"
        port.targetPort = port.targetPort or port.port
    if is_external(spec):
        spec.externalTrafficPolicy = spec.externalTrafficPolicy or "Cluster"
    if spec.internalTrafficPolicy is None and needs_cluster_ip(spec):
        spec.internalTrafficPolicy = "Cluster"
    if spec.type == "LoadBalancer":
        if spec.allocateLoadBalancerNodePorts is None:
            spec.allocateLoadBalancerNodePorts = True
        for ingress in obj.status.loadBalancer.ingress:
            if ingress.ip and ingress.ipMode is None:
                ingress.ipMode = "VIP"


def _default_affinity(spec: ServiceSpec) -> None:
    if spec.sessionAffinity == "None":
        spec.sessionAffinityConfig = None
    if spec.sessionAffinity != "ClientIP":
        return
    config = spec.sessionAffinityConfig or SessionAffinityConfig()
    config.clientIP = config.clientIP or ClientIPConfig()
    if config.clientIP.timeoutSeconds is None:
        config.clientIP.timeoutSeconds = AFFINITY_SECONDS
    spec.sessionAffinityConfig = config


def prepare_update(new: Service, old: Service) -> None:
    """Keep the status, and what was allotted where the user does not name it again."""
    new.status = old.status
    after, before = new.spec, old.spec
    if needs_cluster_ip(before) and needs_cluster_ip(after):
        after.clusterIP = after.clusterIP or before.clusterIP
        if not after.clusterIPs and after.clusterIP == before.clusterIP:
            after.clusterIPs = before.clusterIPs
    if needs_node_ports(before) and needs_node_ports(after):
        held = {(p.protocol, p.port): p.nodePort for p in before.ports}
        taken = {p.nodePort for p in after.ports if p.nodePort}
        for port in after.ports:
            port.nodePort = port.nodePort or _unless(taken, held.get((port.protocol, port.port), 0))
    if needs_health_port(before) and needs_health_port(after):
        after.healthCheckNodePort = after.healthCheckNodePort or before.healthCheckNodePort
    _drop_what_the_type_lost(after, before)


def _unless(taken: set[int], port: int) -> int:
    return 0 if port in taken else port


def needs_health_port(spec: ServiceSpec) -> bool:
    """Whether load balancers have to ask each node if it has endpoints."""
    return spec.type == "LoadBalancer" and spec.externalTrafficPolicy == "Local"


def _drop_what_the_type_lost(new: ServiceSpec, old: ServiceSpec) -> None:
    """A change of type lets go of what only the old type had, if the user left it as it was."""
    if needs_cluster_ip(old) and not needs_cluster_ip(new) and new.clusterIPs == old.clusterIPs:
        new.clusterIP, new.clusterIPs = "", []
        new.ipFamilies, new.ipFamilyPolicy = [], None
    if needs_node_ports(old) and not needs_node_ports(new):
        before = {(p.protocol, p.port, p.nodePort) for p in old.ports}
        for port in new.ports:
            if (port.protocol, port.port, port.nodePort) in before:
                port.nodePort = 0
    if is_external(old) and not is_external(new):
        _forget(new, old, externalTrafficPolicy="")
    if needs_health_port(old) and not needs_health_port(new):
        _forget(new, old, healthCheckNodePort=0)
    if old.type == "LoadBalancer" != new.type:
        _forget(new, old, allocateLoadBalancerNodePorts=None, loadBalancerClass=None)


def _forget(new: ServiceSpec, old: ServiceSpec, **empty: object) -> None:
    for name, value in empty.items():
        if getattr(new, name) == getattr(old, name):
            setattr(new, name, value)


def warn(obj: Service) -> list[str]:
    """Name what works but should not be used."""
    found = []
    if OLD_HINTS in obj.metadata.annotations:
        found.append(f"annotation {OLD_HINTS} is deprecated, please use {NEW_HINTS} instead")
    return found


def cells(obj: Service, now: float) -> list[Any]:
    """Give the row of `kubectl get services -o wide`."""
    spec = obj.spec
    return [
        obj.metadata.name,
        spec.type,
        spec.clusterIPs[0] if spec.clusterIPs else spec.clusterIP or NONE,
        _external(obj),
        ",".join(_port(p) for p in spec.ports) or NONE,
        age(obj, now),
        pairs(spec.selector),
    ]


def _external(obj: Service) -> str:
    spec = obj.spec
    if spec.type == "ExternalName":
        return spec.externalName
    if spec.type in ("ClusterIP", "NodePort"):
        return ",".join(spec.externalIPs) or NONE
    if spec.type != "LoadBalancer":
        return "<unknown>"
    given = {i.ip or i.hostname for i in obj.status.loadBalancer.ingress} - {""}
    return ",".join([*sorted(given), *spec.externalIPs]) or "<pending>"


def _port(port: ServicePort) -> str:
    node = f":{port.nodePort}" if port.nodePort else ""
    return f"{port.port}{node}/{port.protocol}"
