"""What a node has seen of a pod and of its containers."""

from typing import Annotated

from appliance.api.kinds.core.pod.container import ResourceRequirements
from appliance.api.schema import F, Int32, Int64, Message, Quantity, Time, always, nullable


class ContainerStateRunning(Message):
    """A container that runs."""

    startedAt: Annotated[Time | None, F(1, "When it started.")] = nullable()


class ContainerStateTerminated(Message):
    """A container that has ended."""

    exitCode: Annotated[Int32, F(1, "Its exit code.", required=True)] = always(int)
    signal: Annotated[Int32, F(2, "Signal that ended it.")] = 0
    reason: Annotated[
        str, F(3, "Why, as one CamelCase word: Completed, Error, OOMKilled and so on.")
    ] = ""
    message: Annotated[str, F(4, "Its last words.")] = ""
    startedAt: Annotated[Time | None, F(5, "When it started.")] = nullable()
    finishedAt: Annotated[Time | None, F(6, "When it ended.")] = nullable()
    containerID: Annotated[str, F(7, "Id in the engine, as engine://id.")] = ""


class ContainerStateWaiting(Message):
    """A container that does not run yet, or not again."""

    reason: Annotated[
        str, F(1, "Why, as one CamelCase word: ContainerCreating, CrashLoopBackOff and so on.")
    ] = ""
    message: Annotated[str, F(2, "Why, for people.")] = ""


class ContainerState(Message):
    """How a container is: one of these; waiting if none is set."""

    waiting: Annotated[ContainerStateWaiting | None, F(1, "It waits.")] = None
    running: Annotated[ContainerStateRunning | None, F(2, "It runs.")] = None
    terminated: Annotated[ContainerStateTerminated | None, F(3, "It has ended.")] = None


class LinuxContainerUser(Message):
    """Who the first process of a container is."""

    uid: Annotated[Int64, F(1, "User id.", required=True)] = always(int)
    gid: Annotated[Int64, F(2, "Group id.", required=True)] = always(int)
    supplementalGroups: Annotated[list[Int64], F(3, "Further group ids.", list_type="atomic")] = []


class ContainerUser(Message):
    """Who the first process of a container is."""

    linux: Annotated[LinuxContainerUser | None, F(1, "On Linux.")] = None


class ResourceHealth(Message):
    """How a device is."""

    resourceID: Annotated[str, F(1, "Id of the device.", required=True)] = always(str)
    health: Annotated[str, F(2, "Healthy, Unhealthy or Unknown.")] = ""
    message: Annotated[str | None, F(6, "Why, for people.")] = None


class ResourceStatus(Message):
    """How the devices of a container are."""

    name: Annotated[str, F(1, "Name of the resource.", required=True)] = always(str)
    resources: Annotated[
        list[ResourceHealth],
        F(2, "How each device is.", list_type="map", list_keys=("resourceID",)),
    ] = []


class ImageVolumeStatus(Message):
    """A volume made from an image."""

    imageRef: Annotated[str, F(1, "Digest of the image.")] = ""


class VolumeStatus(Message):
    """How a mounted volume is."""

    image: Annotated[ImageVolumeStatus | None, F(1, "If it is made from an image.")] = None


class VolumeMountStatus(Message):
    """How a volume is mounted."""

    name: Annotated[str, F(1, "Name of the volume.", required=True)] = always(str)
    mountPath: Annotated[str, F(2, "Where the container sees it.", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "Whether it is read-only.")] = False
    recursiveReadOnly: Annotated[
        str | None, F(4, "Whether that goes for what is mounted below, too.")
    ] = None
    volumeStatus: Annotated[VolumeStatus | None, F(5, "How the volume is.")] = None


class ContainerStatus(Message):
    """How a container is."""

    name: Annotated[str, F(1, "Name of the container.", required=True)] = always(str)
    state: Annotated[ContainerState, F(2, "How it is now.")] = always(ContainerState)
    lastState: Annotated[ContainerState, F(3, "How its run before this one ended.")] = always(
        ContainerState
    )
    ready: Annotated[bool, F(4, "Whether its readiness probe succeeds.", required=True)] = always(
        bool
    )
    restartCount: Annotated[Int32, F(5, "How often it was restarted.", required=True)] = always(int)
    image: Annotated[str, F(6, "Image that it runs.", required=True)] = always(str)
    imageID: Annotated[str, F(7, "Digest of that image.", required=True)] = always(str)
    containerID: Annotated[str, F(8, "Id in the engine, as engine://id.")] = ""
    started: Annotated[
        bool | None, F(9, "Whether postStart and the startup probe are through.")
    ] = None
    allocatedResources: Annotated[
        dict[str, Quantity], F(10, "What the node has set aside for it.")
    ] = {}
    resources: Annotated[ResourceRequirements | None, F(11, "What it has in fact.")] = None
    volumeMounts: Annotated[
        list[VolumeMountStatus],
        F(
            12,
            "How its volumes are mounted.",
            merge=True,
            merge_key="mountPath",
            list_type="map",
            list_keys=("mountPath",),
        ),
    ] = []
    user: Annotated[ContainerUser | None, F(13, "Who its first process is.")] = None
    allocatedResourcesStatus: Annotated[
        list[ResourceStatus],
        F(
            14,
            "How its devices are.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    stopSignal: Annotated[str | None, F(15, "Signal that stops it.")] = None


class HostIP(Message):
    """An address of the node."""

    ip: Annotated[str, F(1, "The address.", required=True)] = always(str)


class NodeAllocatableResourceClaimStatus(Message):
    """What a claim takes of the node's resources."""

    resourceClaimName: Annotated[str, F(1, "Name of the claim.", required=True)] = always(str)
    containers: Annotated[list[str], F(2, "Containers that use it.", list_type="set")] = []
    resources: Annotated[dict[str, Quantity], F(3, "How much it takes.", required=True)] = always(
        dict
    )


class PodCondition(Message):
    """One aspect of how a pod is."""

    type: Annotated[
        str, F(1, "PodScheduled, Initialized, ContainersReady, Ready and others.", required=True)
    ] = always(str)
    observedGeneration: Annotated[Int64, F(7, "Generation of the spec that this is about.")] = 0
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastProbeTime: Annotated[Time | None, F(3, "When it was last looked at.")] = nullable()
    lastTransitionTime: Annotated[Time | None, F(4, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(5, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(6, "Why, for people.")] = ""


class ContainerExtendedResourceRequest(Message):
    """Which request of a claim a resource of a container became."""

    containerName: Annotated[str, F(1, "Name of the container.", required=True)] = always(str)
    resourceName: Annotated[str, F(2, "Name of the resource.", required=True)] = always(str)
    requestName: Annotated[str, F(3, "Name of the request in the claim.", required=True)] = always(
        str
    )


class PodExtendedResourceClaimStatus(Message):
    """The claim that was made for resources that drivers provide."""

    requestMappings: Annotated[
        list[ContainerExtendedResourceRequest],
        F(1, "Which request each resource became.", required=True, list_type="atomic"),
    ] = always(list)
    resourceClaimName: Annotated[str, F(2, "Name of the claim.", required=True)] = always(str)


class PodIP(Message):
    """An address of the pod."""

    ip: Annotated[str, F(1, "The address.", required=True)] = always(str)


class PodResourceClaimStatus(Message):
    """The claim that was made from a template."""

    name: Annotated[str, F(1, "Name in the pod.", required=True)] = always(str)
    resourceClaimName: Annotated[str | None, F(2, "Name of the claim.")] = None


class PodStatus(Message):
    """How a pod was seen last."""

    observedGeneration: Annotated[Int64, F(17, "Generation of the spec that this is about.")] = 0
    phase: Annotated[
        str,
        F(
            1,
            "Pending, Running, Succeeded, Failed or Unknown.",
            enum=("Failed", "Pending", "Running", "Succeeded", "Unknown"),
        ),
    ] = ""
    conditions: Annotated[
        list[PodCondition],
        F(2, "How the pod is.", merge=True, merge_key="type", list_type="map", list_keys=("type",)),
    ] = []
    message: Annotated[str, F(3, "Why, for people.")] = ""
    reason: Annotated[str, F(4, "Why, as one CamelCase word, such as Evicted.")] = ""
    nominatedNodeName: Annotated[str, F(11, "Node that is being freed for it.")] = ""
    hostIP: Annotated[str, F(5, "Address of its node.")] = ""
    hostIPs: Annotated[
        list[HostIP],
        F(
            16,
            "Addresses of its node, one for each family.",
            merge=True,
            merge_key="ip",
            list_type="atomic",
        ),
    ] = []
    podIP: Annotated[str, F(6, "Its address.")] = ""
    podIPs: Annotated[
        list[PodIP],
        F(
            12,
            "Its addresses, one for each family; podIP is the first.",
            merge=True,
            merge_key="ip",
            list_type="map",
            list_keys=("ip",),
        ),
    ] = []
    startTime: Annotated[Time | None, F(7, "When its node took it on.")] = None
    initContainerStatuses: Annotated[
        list[ContainerStatus], F(10, "How its init containers are.", list_type="atomic")
    ] = []
    containerStatuses: Annotated[
        list[ContainerStatus], F(8, "How its containers are.", list_type="atomic")
    ] = []
    qosClass: Annotated[
        str,
        F(
            9,
            "Guaranteed, Burstable or BestEffort.",
            enum=("BestEffort", "Burstable", "Guaranteed"),
        ),
    ] = ""
    ephemeralContainerStatuses: Annotated[
        list[ContainerStatus], F(13, "How its ephemeral containers are.", list_type="atomic")
    ] = []
    resize: Annotated[str, F(14, "How a resize goes; conditions say so now.")] = ""
    resourceClaimStatuses: Annotated[
        list[PodResourceClaimStatus],
        F(
            15,
            "Claims made from templates.",
            merge=True,
            merge_key="name",
            retain_keys=True,
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    extendedResourceClaimStatus: Annotated[
        PodExtendedResourceClaimStatus | None,
        F(18, "The claim made for resources that drivers provide."),
    ] = None
    allocatedResources: Annotated[
        dict[str, Quantity], F(19, "What the node has set aside for the whole pod.")
    ] = {}
    resources: Annotated[ResourceRequirements | None, F(20, "What the whole pod has in fact.")] = (
        None
    )
    nodeAllocatableResourceClaimStatuses: Annotated[
        list[NodeAllocatableResourceClaimStatus],
        F(21, "What claims take of the node's resources.", list_type="atomic"),
    ] = []
