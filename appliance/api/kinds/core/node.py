"""TODO."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import NONE, age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Int64, Message, Quantity, Time, always, nullable
from appliance.api.validate_meta import label_key


class ConfigMapNodeConfigSource(Message):
    """TODO."""

    namespace: Annotated[str, F(1, "", required=True)] = always(str)
    name: Annotated[str, F(2, "", required=True)] = always(str)
    uid: Annotated[str, F(3, "")] = ""
    resourceVersion: Annotated[str, F(4, "")] = ""
    kubeletConfigKey: Annotated[str, F(5, "", required=True)] = always(str)


class NodeConfigSource(Message):
    """TODO."""

    configMap: Annotated[ConfigMapNodeConfigSource | None, F(2, "")] = None


class Taint(Message):
    """TODO."""

    key: Annotated[str, F(1, "", required=True)] = always(str)
    value: Annotated[str, F(2, "")] = ""
    effect: Annotated[str, F(3, "", required=True)] = always(str)
    timeAdded: Annotated[Time | None, F(4, "")] = None


class NodeSpec(Message):
    """TODO."""

    podCIDR: Annotated[str, F(1, "")] = ""
    podCIDRs: Annotated[list[str], F(7, "", merge=True, list_type="set")] = []
    providerID: Annotated[str, F(3, "")] = ""
    unschedulable: Annotated[bool, F(4, "")] = False
    taints: Annotated[list[Taint], F(5, "", list_type="atomic")] = []
    configSource: Annotated[NodeConfigSource | None, F(6, "")] = None
    externalID: Annotated[str, F(2, "")] = ""


class AttachedVolume(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    devicePath: Annotated[str, F(2, "", required=True)] = always(str)


class ContainerImage(Message):
    """TODO."""

    names: Annotated[list[str], F(1, "", list_type="atomic")] = always(list)
    sizeBytes: Annotated[Int64, F(2, "")] = 0


class NodeAddress(Message):
    """TODO."""

    type: Annotated[str, F(1, "", required=True)] = always(str)
    address: Annotated[str, F(2, "", required=True)] = always(str)


class NodeCondition(Message):
    """TODO."""

    type: Annotated[str, F(1, "", required=True)] = always(str)
    status: Annotated[str, F(2, "", required=True)] = always(str)
    lastHeartbeatTime: Annotated[Time | None, F(3, "")] = nullable()
    lastTransitionTime: Annotated[Time | None, F(4, "")] = nullable()
    reason: Annotated[str, F(5, "")] = ""
    message: Annotated[str, F(6, "")] = ""


class NodeConfigStatus(Message):
    """TODO."""

    assigned: Annotated[NodeConfigSource | None, F(1, "")] = None
    active: Annotated[NodeConfigSource | None, F(2, "")] = None
    lastKnownGood: Annotated[NodeConfigSource | None, F(3, "")] = None
    error: Annotated[str, F(4, "")] = ""


class DaemonEndpoint(Message):
    """TODO."""

    Port: Annotated[Int32, F(1, "", required=True)] = always(int)


class NodeDaemonEndpoints(Message):
    """TODO."""

    kubeletEndpoint: Annotated[DaemonEndpoint, F(1, "")] = always(DaemonEndpoint)


class NodeFeatures(Message):
    """TODO."""

    supplementalGroupsPolicy: Annotated[bool | None, F(1, "")] = None


class NodeRuntimeHandlerFeatures(Message):
    """TODO."""

    recursiveReadOnlyMounts: Annotated[bool | None, F(1, "")] = None
    userNamespaces: Annotated[bool | None, F(2, "")] = None


class NodeRuntimeHandler(Message):
    """TODO."""

    name: Annotated[str, F(1, "")] = always(str)
    features: Annotated[NodeRuntimeHandlerFeatures | None, F(2, "")] = None


class NodeSwapStatus(Message):
    """TODO."""

    capacity: Annotated[Int64 | None, F(1, "")] = None


class NodeSystemInfo(Message):
    """TODO."""

    machineID: Annotated[str, F(1, "", required=True)] = always(str)
    systemUUID: Annotated[str, F(2, "", required=True)] = always(str)
    bootID: Annotated[str, F(3, "", required=True)] = always(str)
    kernelVersion: Annotated[str, F(4, "", required=True)] = always(str)
    osImage: Annotated[str, F(5, "", required=True)] = always(str)
    containerRuntimeVersion: Annotated[str, F(6, "", required=True)] = always(str)
    kubeletVersion: Annotated[str, F(7, "", required=True)] = always(str)
    kubeProxyVersion: Annotated[str, F(8, "", required=True)] = always(str)
    operatingSystem: Annotated[str, F(9, "", required=True)] = always(str)
    architecture: Annotated[str, F(10, "", required=True)] = always(str)
    swap: Annotated[NodeSwapStatus | None, F(11, "")] = None


class NodeStatus(Message):
    """TODO."""

    capacity: Annotated[dict[str, Quantity], F(1, "")] = {}
    allocatable: Annotated[dict[str, Quantity], F(2, "")] = {}
    phase: Annotated[str, F(3, "")] = ""
    conditions: Annotated[
        list[NodeCondition],
        F(4, "", merge=True, merge_key="type", list_type="map", list_keys=("type",)),
    ] = []
    addresses: Annotated[
        list[NodeAddress],
        F(5, "", merge=True, merge_key="type", list_type="map", list_keys=("type",)),
    ] = []
    daemonEndpoints: Annotated[NodeDaemonEndpoints, F(6, "")] = always(NodeDaemonEndpoints)
    nodeInfo: Annotated[NodeSystemInfo, F(7, "")] = always(NodeSystemInfo)
    images: Annotated[list[ContainerImage], F(8, "", list_type="atomic")] = []
    volumesInUse: Annotated[list[str], F(9, "", list_type="atomic")] = []
    volumesAttached: Annotated[list[AttachedVolume], F(10, "", list_type="atomic")] = []
    config: Annotated[NodeConfigStatus | None, F(11, "")] = None
    runtimeHandlers: Annotated[list[NodeRuntimeHandler], F(12, "", list_type="atomic")] = []
    features: Annotated[NodeFeatures | None, F(13, "")] = None
    declaredFeatures: Annotated[list[str], F(14, "", list_type="atomic")] = []


class Node(KubeObject):
    """TODO."""

    spec: Annotated[NodeSpec, F(2, "")] = always(NodeSpec)
    status: Annotated[NodeStatus, F(3, "")] = always(NodeStatus)


ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"


def _roles(labels: Mapping[str, str]) -> str:
    found = {k.removeprefix(ROLE_PREFIX) for k in labels if k.startswith(ROLE_PREFIX)}
    found.add(labels.get(ROLE_LABEL, ""))
    return ",".join(sorted(found - {""})) or NONE


def _state(obj: Node) -> str:
    ready = [c for c in obj.status.conditions if c.type == "Ready"]
    words = ["Ready" if ready[-1].status == "True" else "NotReady"] if ready else ["Unknown"]
    if obj.spec.unschedulable:
        words.append("SchedulingDisabled")
    return ",".join(words)


def _address(obj: Node, kind: str) -> str:
    return next((a.address for a in obj.status.addresses if a.type == kind), NONE)


def _cells(obj: Node, now: float) -> list[Any]:
    info = obj.status.nodeInfo
    return [
        obj.metadata.name,
        _state(obj),
        _roles(obj.metadata.labels),
        age(obj, now),
        info.kubeletVersion,
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.osImage or "<unknown>",
        info.kernelVersion or "<unknown>",
        info.containerRuntimeVersion or "<unknown>",
    ]


def _set_defaults(obj: Node) -> None:
    if not obj.status.allocatable:
        obj.status.allocatable = dict(obj.status.capacity)


TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _taints(taints: Sequence[Taint], path: str) -> Iterator[Cause]:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        here = f"{path}[{index}]"
        yield from label_key(taint.key, f"{here}.key")
        yield from checks.named(names.label_value, taint.value, f"{here}.value")
        yield from checks.one_of(taint.effect, TAINT_EFFECTS, f"{here}.effect")
        if (taint.key, taint.effect) in seen:
            yield faults.duplicate(here, taint)
        seen.add((taint.key, taint.effect))


def _validate(obj: Node) -> list[Cause]:
    found = [*_taints(obj.spec.taints, "spec.taints")]
    for index, cidr in enumerate(obj.spec.podCIDRs):
        found += checks.cidr(cidr, f"spec.podCIDRs[{index}]")
    return found


def _validate_update(new: Node, old: Node) -> list[Cause]:
    found = _validate(new)
    for name, shown in (("podCIDRs", "podCIDR"), ("providerID", "providerID")):
        before = getattr(old.spec, name)
        if before and before != getattr(new.spec, name):
            why = f'node updates may not change {shown} except from "" to valid'
            found.append(faults.forbidden(f"spec.{name}", why))
    return found


NODE = Kind(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    singular="node",
    namespaced=False,
    type=Node,
    short_names=("no",),
    storage_path="minions",
    subresources=(Subresource(name="status", verbs=("get", "patch", "update"), kind="Node"),),
    columns=(
        Column("Name", format="name"),
        Column("Status"),
        Column("Roles"),
        Column("Age"),
        Column("Version"),
        Column("Internal-IP", wide=True),
        Column("External-IP", wide=True),
        Column("OS-Image", wide=True),
        Column("Kernel-Version", wide=True),
        Column("Container-Runtime", wide=True),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
    selectable_fields={"spec.unschedulable": lambda obj: str(obj.spec.unschedulable).lower()},
    has_generation=False,
)
