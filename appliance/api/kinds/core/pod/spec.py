"""TODO."""

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
    """TODO."""

    ip: Annotated[str, F(1, "", required=True)] = always(str)
    hostnames: Annotated[list[str], F(2, "", list_type="atomic")] = []


class PodDNSConfigOption(Message):
    """TODO."""

    name: Annotated[str, F(1, "")] = ""
    value: Annotated[str | None, F(2, "")] = None


class PodDNSConfig(Message):
    """TODO."""

    nameservers: Annotated[list[str], F(1, "", list_type="atomic")] = []
    searches: Annotated[list[str], F(2, "", list_type="atomic")] = []
    options: Annotated[list[PodDNSConfigOption], F(3, "", list_type="atomic")] = []


class PodOS(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)


class PodReadinessGate(Message):
    """TODO."""

    conditionType: Annotated[str, F(1, "", required=True)] = always(str)


class PodResourceClaim(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    resourceClaimName: Annotated[str | None, F(3, "")] = None
    resourceClaimTemplateName: Annotated[str | None, F(4, "")] = None


class PodSchedulingGate(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)


class PodSchedulingGroup(Message):
    """TODO."""

    podGroupName: Annotated[str | None, F(1, "")] = None


class PodSpec(Message):
    """TODO."""

    volumes: Annotated[
        list[Volume],
        F(
            1,
            "",
            merge=True,
            merge_key="name",
            retain_keys=True,
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    initContainers: Annotated[
        list[Container],
        F(20, "", merge=True, merge_key="name", list_type="map", list_keys=("name",)),
    ] = []
    containers: Annotated[
        list[Container],
        F(2, "", required=True, merge=True, merge_key="name", list_type="map", list_keys=("name",)),
    ] = always(list)
    ephemeralContainers: Annotated[
        list[EphemeralContainer],
        F(34, "", merge=True, merge_key="name", list_type="map", list_keys=("name",)),
    ] = []
    restartPolicy: Annotated[str, F(3, "")] = ""
    terminationGracePeriodSeconds: Annotated[Int64 | None, F(4, "")] = None
    activeDeadlineSeconds: Annotated[Int64 | None, F(5, "")] = None
    dnsPolicy: Annotated[str, F(6, "")] = ""
    nodeSelector: Annotated[dict[str, str], F(7, "", map_type="atomic")] = {}
    serviceAccountName: Annotated[str, F(8, "")] = ""
    serviceAccount: Annotated[str, F(9, "")] = ""
    automountServiceAccountToken: Annotated[bool | None, F(21, "")] = None
    nodeName: Annotated[str, F(10, "")] = ""
    hostNetwork: Annotated[bool, F(11, "")] = False
    hostPID: Annotated[bool, F(12, "")] = False
    hostIPC: Annotated[bool, F(13, "")] = False
    shareProcessNamespace: Annotated[bool | None, F(27, "")] = None
    securityContext: Annotated[PodSecurityContext | None, F(14, "")] = None
    imagePullSecrets: Annotated[
        list[LocalObjectReference],
        F(15, "", merge=True, merge_key="name", list_type="map", list_keys=("name",)),
    ] = []
    hostname: Annotated[str, F(16, "")] = ""
    subdomain: Annotated[str, F(17, "")] = ""
    affinity: Annotated[Affinity | None, F(18, "")] = None
    schedulerName: Annotated[str, F(19, "")] = ""
    tolerations: Annotated[list[Toleration], F(22, "", list_type="atomic")] = []
    hostAliases: Annotated[
        list[HostAlias], F(23, "", merge=True, merge_key="ip", list_type="map", list_keys=("ip",))
    ] = []
    priorityClassName: Annotated[str, F(24, "")] = ""
    priority: Annotated[Int32 | None, F(25, "")] = None
    dnsConfig: Annotated[PodDNSConfig | None, F(26, "")] = None
    readinessGates: Annotated[list[PodReadinessGate], F(28, "", list_type="atomic")] = []
    runtimeClassName: Annotated[str | None, F(29, "")] = None
    enableServiceLinks: Annotated[bool | None, F(30, "")] = None
    preemptionPolicy: Annotated[str | None, F(31, "")] = None
    overhead: Annotated[dict[str, Quantity], F(32, "")] = {}
    topologySpreadConstraints: Annotated[
        list[TopologySpreadConstraint],
        F(
            33,
            "",
            merge=True,
            merge_key="topologyKey",
            list_type="map",
            list_keys=(
                "topologyKey",
                "whenUnsatisfiable",
            ),
        ),
    ] = []
    setHostnameAsFQDN: Annotated[bool | None, F(35, "")] = None
    os: Annotated[PodOS | None, F(36, "")] = None
    hostUsers: Annotated[bool | None, F(37, "")] = None
    schedulingGates: Annotated[
        list[PodSchedulingGate],
        F(38, "", merge=True, merge_key="name", list_type="map", list_keys=("name",)),
    ] = []
    resourceClaims: Annotated[
        list[PodResourceClaim],
        F(
            39,
            "",
            merge=True,
            merge_key="name",
            retain_keys=True,
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    resources: Annotated[ResourceRequirements | None, F(40, "")] = None
    hostnameOverride: Annotated[str | None, F(41, "")] = None
    schedulingGroup: Annotated[PodSchedulingGroup | None, F(43, "")] = None


class PodTemplateSpec(Message):
    """TODO."""

    metadata: Annotated[ObjectMeta, F(1, "")] = always(ObjectMeta)
    spec: Annotated[PodSpec, F(2, "")] = always(PodSpec)
