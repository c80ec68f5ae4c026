"""TODO."""

from typing import Annotated

from appliance.api.kinds.core.pod.container import ResourceRequirements
from appliance.api.schema import F, Int32, Int64, Message, Quantity, Time, always, nullable


class ContainerStateRunning(Message):
    """TODO."""

    startedAt: Annotated[Time | None, F(1, "")] = nullable()


class ContainerStateTerminated(Message):
    """TODO."""

    exitCode: Annotated[Int32, F(1, "", required=True)] = always(int)
    signal: Annotated[Int32, F(2, "")] = 0
    reason: Annotated[str, F(3, "")] = ""
    message: Annotated[str, F(4, "")] = ""
    startedAt: Annotated[Time | None, F(5, "")] = nullable()
    finishedAt: Annotated[Time | None, F(6, "")] = nullable()
    containerID: Annotated[str, F(7, "")] = ""


class ContainerStateWaiting(Message):
    """TODO."""

    reason: Annotated[str, F(1, "")] = ""
    message: Annotated[str, F(2, "")] = ""


class ContainerState(Message):
    """TODO."""

    waiting: Annotated[ContainerStateWaiting | None, F(1, "")] = None
    running: Annotated[ContainerStateRunning | None, F(2, "")] = None
    terminated: Annotated[ContainerStateTerminated | None, F(3, "")] = None


class LinuxContainerUser(Message):
    """TODO."""

    uid: Annotated[Int64, F(1, "", required=True)] = always(int)
    gid: Annotated[Int64, F(2, "", required=True)] = always(int)
    supplementalGroups: Annotated[list[Int64], F(3, "", list_type="atomic")] = []


class ContainerUser(Message):
    """TODO."""

    linux: Annotated[LinuxContainerUser | None, F(1, "")] = None


class ResourceHealth(Message):
    """TODO."""

    resourceID: Annotated[str, F(1, "", required=True)] = always(str)
    health: Annotated[str, F(2, "")] = ""
    message: Annotated[str | None, F(6, "")] = None


class ResourceStatus(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    resources: Annotated[
        list[ResourceHealth], F(2, "", list_type="map", list_keys=("resourceID",))
    ] = []


class ImageVolumeStatus(Message):
    """TODO."""

    imageRef: Annotated[str, F(1, "")] = ""


class VolumeStatus(Message):
    """TODO."""

    image: Annotated[ImageVolumeStatus | None, F(1, "")] = None


class VolumeMountStatus(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    mountPath: Annotated[str, F(2, "", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "")] = False
    recursiveReadOnly: Annotated[str | None, F(4, "")] = None
    volumeStatus: Annotated[VolumeStatus | None, F(5, "")] = None


class ContainerStatus(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    state: Annotated[ContainerState, F(2, "")] = always(ContainerState)
    lastState: Annotated[ContainerState, F(3, "")] = always(ContainerState)
    ready: Annotated[bool, F(4, "", required=True)] = always(bool)
    restartCount: Annotated[Int32, F(5, "", required=True)] = always(int)
    image: Annotated[str, F(6, "", required=True)] = always(str)
    imageID: Annotated[str, F(7, "", required=True)] = always(str)
    containerID: Annotated[str, F(8, "")] = ""
    started: Annotated[bool | None, F(9, "")] = None
    allocatedResources: Annotated[dict[str, Quantity], F(10, "")] = {}
    resources: Annotated[ResourceRequirements | None, F(11, "")] = None
    volumeMounts: Annotated[
        list[VolumeMountStatus],
        F(12, "", merge=True, merge_key="mountPath", list_type="map", list_keys=("mountPath",)),
    ] = []
    user: Annotated[ContainerUser | None, F(13, "")] = None
    allocatedResourcesStatus: Annotated[
        list[ResourceStatus],
        F(14, "", merge=True, merge_key="name", list_type="map", list_keys=("name",)),
    ] = []
    stopSignal: Annotated[str | None, F(15, "")] = None


class HostIP(Message):
    """TODO."""

    ip: Annotated[str, F(1, "", required=True)] = always(str)


class NodeAllocatableResourceClaimStatus(Message):
    """TODO."""

    resourceClaimName: Annotated[str, F(1, "", required=True)] = always(str)
    containers: Annotated[list[str], F(2, "", list_type="set")] = []
    resources: Annotated[dict[str, Quantity], F(3, "", required=True)] = always(dict)


class PodCondition(Message):
    """TODO."""

    type: Annotated[str, F(1, "", required=True)] = always(str)
    observedGeneration: Annotated[Int64, F(7, "")] = 0
    status: Annotated[str, F(2, "", required=True)] = always(str)
    lastProbeTime: Annotated[Time | None, F(3, "")] = nullable()
    lastTransitionTime: Annotated[Time | None, F(4, "")] = nullable()
    reason: Annotated[str, F(5, "")] = ""
    message: Annotated[str, F(6, "")] = ""


class ContainerExtendedResourceRequest(Message):
    """TODO."""

    containerName: Annotated[str, F(1, "", required=True)] = always(str)
    resourceName: Annotated[str, F(2, "", required=True)] = always(str)
    requestName: Annotated[str, F(3, "", required=True)] = always(str)


class PodExtendedResourceClaimStatus(Message):
    """TODO."""

    requestMappings: Annotated[
        list[ContainerExtendedResourceRequest], F(1, "", required=True, list_type="atomic")
    ] = always(list)
    resourceClaimName: Annotated[str, F(2, "", required=True)] = always(str)


class PodIP(Message):
    """TODO."""

    ip: Annotated[str, F(1, "", required=True)] = always(str)


class PodResourceClaimStatus(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    resourceClaimName: Annotated[str | None, F(2, "")] = None


class PodStatus(Message):
    """TODO."""

    observedGeneration: Annotated[Int64, F(17, "")] = 0
    phase: Annotated[str, F(1, "")] = ""
    conditions: Annotated[
        list[PodCondition],
        F(2, "", merge=True, merge_key="type", list_type="map", list_keys=("type",)),
    ] = []
    message: Annotated[str, F(3, "")] = ""
    reason: Annotated[str, F(4, "")] = ""
    nominatedNodeName: Annotated[str, F(11, "")] = ""
    hostIP: Annotated[str, F(5, "")] = ""
    hostIPs: Annotated[list[HostIP], F(16, "", merge=True, merge_key="ip", list_type="atomic")] = []
    podIP: Annotated[str, F(6, "")] = ""
    podIPs: Annotated[
        list[PodIP], F(12, "", merge=True, merge_key="ip", list_type="map", list_keys=("ip",))
    ] = []
    startTime: Annotated[Time | None, F(7, "")] = None
    initContainerStatuses: Annotated[list[ContainerStatus], F(10, "", list_type="atomic")] = []
    containerStatuses: Annotated[list[ContainerStatus], F(8, "", list_type="atomic")] = []
    qosClass: Annotated[str, F(9, "")] = ""
    ephemeralContainerStatuses: Annotated[list[ContainerStatus], F(13, "", list_type="atomic")] = []
    resize: Annotated[str, F(14, "")] = ""
    resourceClaimStatuses: Annotated[
        list[PodResourceClaimStatus],
        F(
            15,
            "",
            merge=True,
            merge_key="name",
            retain_keys=True,
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    extendedResourceClaimStatus: Annotated[PodExtendedResourceClaimStatus | None, F(18, "")] = None
    allocatedResources: Annotated[dict[str, Quantity], F(19, "")] = {}
    resources: Annotated[ResourceRequirements | None, F(20, "")] = None
    nodeAllocatableResourceClaimStatuses: Annotated[
        list[NodeAllocatableResourceClaimStatus], F(21, "", list_type="atomic")
    ] = []
