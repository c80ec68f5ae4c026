"""Node: a machine that runs pods."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import PROXY_VERBS, Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import NONE, age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Int64, Message, Quantity, Time, always, nullable
from appliance.api.validate_meta import label_key


class ConfigMapNodeConfigSource(Message):
    """A config map that once set up a kubelet."""

    namespace: Annotated[str, F(1, "Namespace of the config map.", required=True)] = always(str)
    name: Annotated[str, F(2, "Name of the config map.", required=True)] = always(str)
    uid: Annotated[str, F(3, "UID of the config map; seen in status only.")] = ""
    resourceVersion: Annotated[str, F(4, "Revision of the config map; seen in status only.")] = ""
    kubeletConfigKey: Annotated[
        str, F(5, "Key in the config map that holds the kubelet's configuration.", required=True)
    ] = always(str)


class NodeConfigSource(Message):
    """Where a kubelet once took its configuration from; not in use any more."""

    configMap: Annotated[ConfigMapNodeConfigSource | None, F(2, "The config map.")] = None


class Taint(Message):
    """Keeps pods off a node unless they tolerate it."""

    key: Annotated[str, F(1, "Name of the taint.", required=True)] = always(str)
    value: Annotated[str, F(2, "Value that goes with the key.")] = ""
    effect: Annotated[
        str,
        F(
            3,
            "NoSchedule, PreferNoSchedule, or NoExecute, which also evicts.",
            enum=("NoExecute", "NoSchedule", "PreferNoSchedule"),
            required=True,
        ),
    ] = always(str)
    timeAdded: Annotated[
        Time | None, F(4, "When a NoExecute taint was put on; tolerationSeconds counts from here.")
    ] = None


class NodeSpec(Message):
    """What is wanted of a node."""

    podCIDR: Annotated[str, F(1, "Range that the node's pods get addresses from.")] = ""
    podCIDRs: Annotated[
        list[str],
        F(
            7,
            "The same for each address family; podCIDR is the first.",
            merge=True,
            list_type="set",
        ),
    ] = []
    providerID: Annotated[str, F(3, "How the cloud names this machine.")] = ""
    unschedulable: Annotated[bool, F(4, "True: no new pods come here (`kubectl cordon`).")] = False
    taints: Annotated[
        list[Taint], F(5, "What pods must tolerate to run here.", list_type="atomic")
    ] = []
    configSource: Annotated[NodeConfigSource | None, F(6, "Not in use any more.")] = None
    externalID: Annotated[str, F(2, "Not in use any more.")] = ""


class AttachedVolume(Message):
    """A volume that is attached to a node."""

    name: Annotated[str, F(1, "Name of the volume.", required=True)] = always(str)
    devicePath: Annotated[str, F(2, "Device under which the node sees it.", required=True)] = (
        always(str)
    )


class ContainerImage(Message):
    """An image that a node has."""

    names: Annotated[list[str], F(1, "All its names, with tag or digest.", list_type="atomic")] = (
        always(list)
    )
    sizeBytes: Annotated[Int64, F(2, "How large it is.")] = 0


class NodeAddress(Message):
    """One address of a node."""

    type: Annotated[
        str, F(1, "Hostname, InternalIP, ExternalIP, InternalDNS or ExternalDNS.", required=True)
    ] = always(str)
    address: Annotated[str, F(2, "The address.", required=True)] = always(str)


class NodeCondition(Message):
    """One aspect of how a node is."""

    type: Annotated[
        str,
        F(
            1,
            "Ready, MemoryPressure, DiskPressure, PIDPressure or NetworkUnavailable.",
            required=True,
        ),
    ] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastHeartbeatTime: Annotated[Time | None, F(3, "When the node last said so.")] = nullable()
    lastTransitionTime: Annotated[Time | None, F(4, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(5, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(6, "Why, for people.")] = ""


class NodeConfigStatus(Message):
    """How the configuration of a kubelet went; not in use any more."""

    assigned: Annotated[NodeConfigSource | None, F(1, "Source that it shall use.")] = None
    active: Annotated[NodeConfigSource | None, F(2, "Source that it uses.")] = None
    lastKnownGood: Annotated[NodeConfigSource | None, F(3, "Source that it falls back to.")] = None
    error: Annotated[str, F(4, "What went wrong.")] = ""


class DaemonEndpoint(Message):
    """Where a daemon listens."""

    Port: Annotated[Int32, F(1, "Port number.", required=True)] = always(int)


class NodeDaemonEndpoints(Message):
    """Where the daemons of a node listen."""

    kubeletEndpoint: Annotated[
        DaemonEndpoint, F(1, "Where the node agent serves logs, exec and the rest.")
    ] = always(DaemonEndpoint)


class NodeFeatures(Message):
    """What the runtime of a node can do in general."""

    supplementalGroupsPolicy: Annotated[
        bool | None, F(1, "Whether supplementalGroupsPolicy and containerStatuses.user work.")
    ] = None


class NodeRuntimeHandlerFeatures(Message):
    """What one runtime handler of a node can do."""

    recursiveReadOnlyMounts: Annotated[
        bool | None, F(1, "Whether mounts can be read-only all the way down.")
    ] = None
    userNamespaces: Annotated[bool | None, F(2, "Whether pods can have user namespaces.")] = None


class NodeRuntimeHandler(Message):
    """A way in which a node can run containers."""

    name: Annotated[str, F(1, "Name of the handler; empty is the default one.")] = always(str)
    features: Annotated[NodeRuntimeHandlerFeatures | None, F(2, "What it can do.")] = None


class NodeSwapStatus(Message):
    """Swap of a node."""

    capacity: Annotated[Int64 | None, F(1, "How much there is, in bytes.")] = None


class NodeSystemInfo(Message):
    """What a node is made of."""

    machineID: Annotated[
        str, F(1, "Id of the machine's installation, as /etc/machine-id has it.", required=True)
    ] = always(str)
    systemUUID: Annotated[
        str, F(2, "Id of the hardware, as the firmware has it.", required=True)
    ] = always(str)
    bootID: Annotated[str, F(3, "Id of the current boot.", required=True)] = always(str)
    kernelVersion: Annotated[str, F(4, "Version of the kernel (`uname -r`).", required=True)] = (
        always(str)
    )
    osImage: Annotated[str, F(5, "Name of the operating system.", required=True)] = always(str)
    containerRuntimeVersion: Annotated[
        str, F(6, "Container engine and its version.", required=True)
    ] = always(str)
    kubeletVersion: Annotated[str, F(7, "Version of the node agent.", required=True)] = always(str)
    kubeProxyVersion: Annotated[str, F(8, "No longer filled in.", required=True)] = always(str)
    operatingSystem: Annotated[str, F(9, "linux or windows.", required=True)] = always(str)
    architecture: Annotated[
        str, F(10, "Processor architecture, as Go names it.", required=True)
    ] = always(str)
    swap: Annotated[NodeSwapStatus | None, F(11, "Swap of the node.")] = None


class NodeStatus(Message):
    """What a node reports about itself."""

    capacity: Annotated[dict[str, Quantity], F(1, "What the machine has.")] = {}
    allocatable: Annotated[dict[str, Quantity], F(2, "What pods can have of it.")] = {}
    phase: Annotated[str, F(3, "No longer filled in.")] = ""
    conditions: Annotated[
        list[NodeCondition],
        F(
            4,
            "How the node is.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []
    addresses: Annotated[
        list[NodeAddress],
        F(
            5,
            "Where it can be reached.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []
    daemonEndpoints: Annotated[NodeDaemonEndpoints, F(6, "Where its daemons listen.")] = always(
        NodeDaemonEndpoints
    )
    nodeInfo: Annotated[NodeSystemInfo, F(7, "What it is made of.")] = always(NodeSystemInfo)
    images: Annotated[list[ContainerImage], F(8, "Images that it has.", list_type="atomic")] = []
    volumesInUse: Annotated[
        list[str], F(9, "Attachable volumes that its pods use.", list_type="atomic")
    ] = []
    volumesAttached: Annotated[
        list[AttachedVolume], F(10, "Volumes that are attached to it.", list_type="atomic")
    ] = []
    config: Annotated[NodeConfigStatus | None, F(11, "Not in use any more.")] = None
    runtimeHandlers: Annotated[
        list[NodeRuntimeHandler], F(12, "Ways in which it can run containers.", list_type="atomic")
    ] = []
    features: Annotated[NodeFeatures | None, F(13, "What its runtime can do.")] = None
    declaredFeatures: Annotated[
        list[str], F(14, "Features that the node says it has.", list_type="atomic")
    ] = []


class Node(KubeObject):
    """A machine that runs pods."""

    spec: Annotated[NodeSpec, F(2, "What is wanted of the node.")] = always(NodeSpec)
    status: Annotated[NodeStatus, F(3, "What the node reports.")] = always(NodeStatus)


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
    # podCIDR is the first of podCIDRs; whoever writes one writes both. The older name wins.
    spec = obj.spec
    if spec.podCIDR and spec.podCIDRs[:1] != [spec.podCIDR]:
        spec.podCIDRs = [spec.podCIDR]
    elif spec.podCIDRs and not spec.podCIDR:
        spec.podCIDR = spec.podCIDRs[0]


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
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="Node"),
        Subresource(name="proxy", verbs=PROXY_VERBS, kind="NodeProxyOptions"),
    ),
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
