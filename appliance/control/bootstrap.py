"""The first objects of a cluster: namespaces, built-in roles, the storage class of local
volumes, and the service of the API itself.

Run by the assembly at each start of a master, before anything is told to be ready; makes what is
missing, puts right what names an old address, and leaves all else alone.
"""

import ipaddress
from collections.abc import Sequence

import structlog

from appliance.api import errors, localpath
from appliance.api.kind import Kind, T
from appliance.api.kinds.core.endpoints import (
    ENDPOINTS,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
)
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.service import SERVICE, Service, ServicePort, ServiceSpec
from appliance.api.kinds.discovery.endpointslice import (
    ENDPOINT_SLICE,
    Endpoint,
    EndpointConditions,
    EndpointSlice,
)
from appliance.api.kinds.discovery.endpointslice import EndpointPort as SlicePort
from appliance.api.kinds.scheduling.priorityclass import (
    PRIORITY_CLASS,
    SYSTEM_CLASSES,
    PriorityClass,
)
from appliance.api.kinds.storage.storageclass import (
    DEFAULT_ANNOTATION,
    STORAGE_CLASS,
    StorageClass,
)
from appliance.api.meta import ObjectMeta
from appliance.api.volumebinding import WAITS
from appliance.client.base import Client, clone
from appliance.control.access.rbac.builtin.reconcile import reconcile_built_in
from appliance.control.options import ControlOptions
from appliance.control.registry.allocate import first_address

log = structlog.get_logger(__name__)

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
NAME = "kubernetes"
_PORT_NAME = "https"


async def bootstrap(client: Client, options: ControlOptions, *, alone: bool = True) -> None:
    """Make sure that all of it is there; where masters are not alone, `Masters` advertises them."""
    for name in NAMESPACES:
        await _create(client, NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    await reconcile_built_in(client)
    for name, value in SYSTEM_CLASSES.items():
        await _create(client, PRIORITY_CLASS, _priority(name, value))
    if options.local_storage:
        await _create(client, STORAGE_CLASS, _local_path())
    await _create(client, SERVICE, _service(options))
    if alone:
        await advertise(client, [(options.advertise_address, options.advertise_port)])


async def advertise(client: Client, masters: Sequence[tuple[str, int]]) -> None:
    """Let the service of the API lead to these addresses and ports."""
    reachable = [m for m in masters if not ipaddress.ip_address(m[0]).is_loopback]
    for address, _ in set(masters) - set(reachable):
        log.warning(
            "pods cannot reach the API: the advertised address is a loopback address",
            advertise_address=address,
        )
    if reachable:
        await _endpoints(client, reachable)
        await _slice(client, reachable)


async def _create(client: Client, kind: Kind[T], obj: T) -> T | None:
    """Create an object; None where there is one already."""
    try:
        return await client.create(kind, obj)
    except errors.AlreadyExists:
        return None


def _priority(name: str, value: int) -> PriorityClass:
    stays = name.endswith("node-critical")
    return PriorityClass(
        metadata=ObjectMeta(name=name),
        value=value,
        description=(
            "For pods that the cluster cannot do without"
            + (" and that must stay on their node." if stays else "; they may move to other nodes.")
        ),
        preemptionPolicy="PreemptLowerPriority",
    )


def _local_path() -> StorageClass:
    return StorageClass(
        metadata=ObjectMeta(name=localpath.CLASS, annotations={DEFAULT_ANNOTATION: "true"}),
        provisioner=localpath.PROVISIONER,
        reclaimPolicy="Delete",
        volumeBindingMode=WAITS,
    )


def _service(options: ControlOptions) -> Service:
    port = ServicePort(name=_PORT_NAME, protocol="TCP", port=443, targetPort=options.advertise_port)
    address = first_address(options.service_cidr)
    spec = ServiceSpec(type="ClusterIP", clusterIP=address, clusterIPs=[address], ports=[port])
    labels = {"component": "apiserver", "provider": NAME}
    return Service(metadata=_meta(labels), spec=spec)


async def _endpoints(client: Client, masters: Sequence[tuple[str, int]]) -> None:
    subsets = [
        EndpointSubset(
            addresses=[EndpointAddress(ip=address) for address, of in masters if of == port],
            ports=[EndpointPort(name=_PORT_NAME, port=port, protocol="TCP")],
        )
        for port in sorted({port for _, port in masters})
    ]
    # a slice of our own stands beside it, so nobody need mirror this one
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    if await _create(client, ENDPOINTS, Endpoints(metadata=_meta(labels), subsets=subsets)):
        return
    found = await client.get(ENDPOINTS, NAME, "default")
    if found.subsets != subsets:
        changed = clone(found)
        changed.subsets = subsets
        await client.update(ENDPOINTS, changed)


async def _slice(client: Client, masters: Sequence[tuple[str, int]]) -> None:
    # A slice has one port for all: masters on other ports than the first's are in Endpoints alone.
    port = masters[0][1]
    endpoints = [
        Endpoint(addresses=[address], conditions=EndpointConditions(ready=True))
        for address, of in masters
        if of == port
    ]
    ports = [SlicePort(name=_PORT_NAME, port=port, protocol="TCP")]
    wanted = EndpointSlice(
        metadata=_meta({"kubernetes.io/service-name": NAME}),
        addressType="IPv6" if ":" in masters[0][0] else "IPv4",
        endpoints=endpoints,
        ports=ports,
    )
    if await _create(client, ENDPOINT_SLICE, wanted):
        return
    found = await client.get(ENDPOINT_SLICE, NAME, "default")
    if (found.endpoints, found.ports) != (endpoints, ports):
        changed = clone(found)
        changed.endpoints, changed.ports = endpoints, ports
        await client.update(ENDPOINT_SLICE, changed)


def _meta(labels: dict[str, str]) -> ObjectMeta:
    return ObjectMeta(name=NAME, namespace="default", labels=labels)
