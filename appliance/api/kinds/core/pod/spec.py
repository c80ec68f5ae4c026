"""What a user wants of a pod, and what pods are made from."""

from typing import Annotated

from appliance.api.kinds.core.pod.affinity import Affinity, Toleration, TopologySpreadConstraint
from appliance.api.kinds.core.pod.container import (
    Container,
    EphemeralContainer,
    ResourceRequirements,
)
from appliance.api.kinds.core.pod.security import PodSecurityContext
from appliance.api.kinds.core.pod.volumes import Volume
from appliance.api.kinds.core.references import LocalObjectReference
from appliance.api.meta import ObjectMeta
from appliance.api.schema import F, Int32, Int64, Message, Quantity, always


class HostAlias(Message):
    """A line of /etc/hosts."""

    ip: Annotated[str, F(1, "Address.", required=True)] = always(str)
    hostnames: Annotated[list[str], F(2, "Names of the address.", list_type="atomic")] = []


class PodDNSConfigOption(Message):
    """An option of the resolver."""

    name: Annotated[str, F(1, "Name of the option.")] = ""
    value: Annotated[str | None, F(2, "Its value, if it takes one.")] = None


class PodDNSConfig(Message):
    """Settings of the resolver, added to what dnsPolicy gives."""

    nameservers: Annotated[
        list[str], F(1, "Name servers, at most 3 in all.", list_type="atomic")
    ] = []
    searches: Annotated[
        list[str], F(2, "Domains in which short names are looked up.", list_type="atomic")
    ] = []
    options: Annotated[
        list[PodDNSConfigOption], F(3, "Options, such as ndots.", list_type="atomic")
    ] = []


class PodOS(Message):
    """Operating system that a pod is for."""

    name: Annotated[str, F(1, "linux or windows.", required=True)] = always(str)


class PodReadinessGate(Message):
    """A condition that must be true for a pod to be ready."""

    conditionType: Annotated[str, F(1, "Type of the condition.", required=True)] = always(str)


class PodResourceClaim(Message):
    """A claim for devices that containers of the pod can use."""

    name: Annotated[str, F(1, "Name in the pod.", required=True)] = always(str)
    resourceClaimName: Annotated[str | None, F(3, "The claim, if it exists already.")] = None
    resourceClaimTemplateName: Annotated[
        str | None, F(4, "What the claim is made from, if not.")
    ] = None


class PodSchedulingGate(Message):
    """Something that must happen before a pod is scheduled."""

    name: Annotated[str, F(1, "Name of the gate.", required=True)] = always(str)


class PodSchedulingGroup(Message):
    """Pods that are to be scheduled together."""

    podGroupName: Annotated[str | None, F(1, "Name of the group.")] = None


class PodSpec(Message):
    """What is wanted of a pod."""

    volumes: Annotated[
        list[Volume],
        F(
            1,
            "Volumes that its containers can mount.",
            merge=True,
            merge_key="name",
            retain_keys=True,
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    initContainers: Annotated[
        list[Container],
        F(
            20,
            "Run one after the other, to the end, before the others start.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    containers: Annotated[
        list[Container],
        F(
            2,
            "The containers; at least one, and the list cannot change.",
            required=True,
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = always(list)
    ephemeralContainers: Annotated[
        list[EphemeralContainer],
        F(
            34,
            "Containers put in later to look around.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    restartPolicy: Annotated[
        str,
        F(
            3,
            "When ended containers are restarted: Always, OnFailure or Never.",
            enum=("Always", "Never", "OnFailure"),
        ),
    ] = ""
    terminationGracePeriodSeconds: Annotated[
        Int64 | None, F(4, "Seconds between the word to stop and the kill.")
    ] = None
    activeDeadlineSeconds: Annotated[
        Int64 | None, F(5, "Seconds after which the pod is stopped and failed.")
    ] = None
    dnsPolicy: Annotated[
        str,
        F(
            6,
            "ClusterFirst, ClusterFirstWithHostNet, Default (the node's) or None.",
            enum=("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        ),
    ] = ""
    nodeSelector: Annotated[
        dict[str, str], F(7, "Labels that the node must have.", map_type="atomic")
    ] = {}
    serviceAccountName: Annotated[str, F(8, "Service account that the pod acts as.")] = ""
    serviceAccount: Annotated[str, F(9, "Older name of serviceAccountName.")] = ""
    automountServiceAccountToken: Annotated[
        bool | None, F(21, "False: no token of the service account is mounted.")
    ] = None
    nodeName: Annotated[str, F(10, "Node that runs it; empty until it is scheduled.")] = ""
    hostNetwork: Annotated[bool, F(11, "True: it uses the node's network.")] = False
    hostPID: Annotated[bool, F(12, "True: it sees the node's processes.")] = False
    hostIPC: Annotated[bool, F(13, "True: it uses the node's IPC.")] = False
    shareProcessNamespace: Annotated[
        bool | None, F(27, "True: its containers see each other's processes.")
    ] = None
    securityContext: Annotated[PodSecurityContext | None, F(14, "What its processes may do.")] = (
        None
    )
    imagePullSecrets: Annotated[
        list[LocalObjectReference],
        F(
            15,
            "Secrets with logins for registries.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    hostname: Annotated[str, F(16, "Host name; the pod's name unless said.")] = ""
    subdomain: Annotated[
        str, F(17, "Service that gives it a name in DNS: hostname.subdomain.namespace.svc.")
    ] = ""
    affinity: Annotated[Affinity | None, F(18, "Where it must or would like to run.")] = None
    schedulerName: Annotated[str, F(19, "Scheduler that places it.")] = ""
    tolerations: Annotated[
        list[Toleration], F(22, "Taints that it may run in spite of.", list_type="atomic")
    ] = []
    hostAliases: Annotated[
        list[HostAlias],
        F(
            23,
            "Lines for /etc/hosts.",
            merge=True,
            merge_key="ip",
            list_type="map",
            list_keys=("ip",),
        ),
    ] = []
    priorityClassName: Annotated[str, F(24, "Class that gives it its priority.")] = ""
    priority: Annotated[
        Int32 | None, F(25, "Higher ones are placed first; comes from the class.")
    ] = None
    dnsConfig: Annotated[PodDNSConfig | None, F(26, "Settings of the resolver.")] = None
    readinessGates: Annotated[
        list[PodReadinessGate],
        F(28, "Conditions that must be true for it to be ready.", list_type="atomic"),
    ] = []
    runtimeClassName: Annotated[str | None, F(29, "Class that says how its containers run.")] = None
    enableServiceLinks: Annotated[
        bool | None, F(30, "False: no variables about Services are put into containers.")
    ] = None
    preemptionPolicy: Annotated[
        str | None,
        F(
            31,
            "Whether it may push out pods of lower priority.",
            enum=("Never", "PreemptLowerPriority"),
        ),
    ] = None
    overhead: Annotated[
        dict[str, Quantity], F(32, "What the pod itself takes, on top of its containers.")
    ] = {}
    topologySpreadConstraints: Annotated[
        list[TopologySpreadConstraint],
        F(
            33,
            "How evenly pods like it are to be spread.",
            merge=True,
            merge_key="topologyKey",
            list_type="map",
            list_keys=(
                "topologyKey",
                "whenUnsatisfiable",
            ),
        ),
    ] = []
    setHostnameAsFQDN: Annotated[
        bool | None, F(35, "True: the host name is the full name in DNS.")
    ] = None
    os: Annotated[PodOS | None, F(36, "Operating system that it is for.")] = None
    hostUsers: Annotated[bool | None, F(37, "False: it has user ids of its own.")] = None
    schedulingGates: Annotated[
        list[PodSchedulingGate],
        F(
            38,
            "What must happen before it is scheduled.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    resourceClaims: Annotated[
        list[PodResourceClaim],
        F(
            39,
            "Claims for devices.",
            merge=True,
            merge_key="name",
            retain_keys=True,
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    resources: Annotated[
        ResourceRequirements | None, F(40, "How much the pod as a whole needs and may have.")
    ] = None
    hostnameOverride: Annotated[
        str | None, F(41, "Host name, whatever hostname and subdomain say.")
    ] = None
    schedulingGroup: Annotated[
        PodSchedulingGroup | None, F(43, "Pods that it is to be scheduled with.")
    ] = None


class PodTemplateSpec(Message):
    """What pods are made from."""

    metadata: Annotated[ObjectMeta, F(1, "Labels and annotations of the pods.")] = always(
        ObjectMeta
    )
    spec: Annotated[PodSpec, F(2, "What is wanted of the pods.")] = always(PodSpec)
