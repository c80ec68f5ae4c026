"""Pure: which pods stand behind a service, at which addresses and ports, in which state.

Both the Endpoints and the EndpointSlice controller start from `backends`; they differ only in
the form in which they publish them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.kinds.core.service import Service, ServicePort
from appliance.api.objects import is_true
from appliance.client.cache import Cache, key_of
from appliance.control.controllers import podstate

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
HEADLESS_LABEL = "service.kubernetes.io/headless"


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port of a service as one pod offers it."""

    name: str
    protocol: str
    number: int
    app_protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod behind a service."""

    pod: Pod
    ip: str
    ports: tuple[Port, ...]
    ready: bool
    """May get traffic."""
    serving: bool
    """Passes its probes, even on its way out."""
    terminating: bool

    @property
    def target(self) -> ObjectReference:
        """The pod, as endpoints name it."""
        meta = self.pod.metadata
        return ObjectReference(
            kind=POD.kind, namespace=meta.namespace, name=meta.name, uid=meta.uid
        )


def is_selecting(service: Service) -> bool:
    """Whether its endpoints are ours to make; others are made by hand."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def is_headless(service: Service) -> bool:
    """Whether it has no address of its own."""
    return service.spec.clusterIP == "None"


def services_of(services: Cache[Service], pod: Pod) -> Iterable[str]:
    """Keys of the services that select this pod."""
    for service in services.list(pod.metadata.namespace):
        if podstate.matches(service.spec.selector, pod.metadata.labels):
            yield key_of(service)


def backends(service: Service, pods: Iterable[Pod]) -> list[Backend]:
    """Pods that the service selects and that have an address, in the order of their names."""
    anyway = service.spec.publishNotReadyAddresses
    found = []
    for pod in sorted(pods, key=lambda p: p.metadata.name):
        if not pod.status.podIP or podstate.has_ended(pod):
            continue
        if not podstate.matches(service.spec.selector, pod.metadata.labels):
            continue
        serving = is_true(pod.status.conditions, "Ready")
        going = pod.metadata.deletionTimestamp is not None
        ports = tuple(port for p in service.spec.ports if (port := resolve(p, pod)) is not None)
        if service.spec.ports and not ports:
            continue  # it offers none of the named ports
        found.append(
            Backend(
                pod,
                pod.status.podIP,
                ports,
                ready=anyway or (serving and not going),
                serving=serving,
                terminating=going,
            )
        )
    return found


def resolve(port: ServicePort, pod: Pod) -> Port | None:
    """The port of a pod behind a service port; None if the pod has no port of that name."""
    protocol = port.protocol or "TCP"
    target = port.targetPort or port.port
    if isinstance(target, int):
        return Port(port.name, protocol, target, port.appProtocol)
    for container in pod.spec.containers:
        for offered in container.ports:
            if offered.name == target and (offered.protocol or "TCP") == protocol:
                return Port(port.name, protocol, offered.containerPort, port.appProtocol)
    return None


def hostname(service: Service, pod: Pod) -> str:
    """The DNS name that a pod of a headless service asked for."""
    return pod.spec.hostname if pod.spec.subdomain == service.metadata.name else ""
