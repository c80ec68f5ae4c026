"""TODO."""

from typing import Annotated, ClassVar

from appliance.api.kinds.core.pod.handlers import Lifecycle, Probe
from appliance.api.kinds.core.pod.security import SecurityContext
from appliance.api.kinds.core.references import (
    ConfigMapKeySelector,
    FileKeySelector,
    LocalObjectReference,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from appliance.api.schema import F, Inline, Int32, Message, Quantity, always


class ContainerPort(Message):
    """TODO."""

    name: Annotated[str, F(1, "")] = ""
    hostPort: Annotated[Int32, F(2, "")] = 0
    containerPort: Annotated[Int32, F(3, "", required=True)] = always(int)
    protocol: Annotated[str, F(4, "")] = ""
    hostIP: Annotated[str, F(5, "")] = ""


class ContainerResizePolicy(Message):
    """TODO."""

    resourceName: Annotated[str, F(1, "", required=True)] = always(str)
    restartPolicy: Annotated[str, F(2, "", required=True)] = always(str)


class ContainerRestartRuleOnExitCodes(Message):
    """TODO."""

    operator: Annotated[str, F(1, "")] = ""
    values: Annotated[list[Int32], F(2, "", list_type="set")] = []


class ContainerRestartRule(Message):
    """TODO."""

    action: Annotated[str, F(1, "")] = ""
    exitCodes: Annotated[ContainerRestartRuleOnExitCodes | None, F(2, "")] = None


class ConfigMapEnvSource(LocalObjectReference):
    """TODO."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    optional: Annotated[bool | None, F(2, "")] = None


class SecretEnvSource(LocalObjectReference):
    """TODO."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    optional: Annotated[bool | None, F(2, "")] = None


class EnvFromSource(Message):
    """TODO."""

    prefix: Annotated[str, F(1, "")] = ""
    configMapRef: Annotated[ConfigMapEnvSource | None, F(2, "")] = None
    secretRef: Annotated[SecretEnvSource | None, F(3, "")] = None


class EnvVarSource(Message):
    """TODO."""

    fieldRef: Annotated[ObjectFieldSelector | None, F(1, "")] = None
    resourceFieldRef: Annotated[ResourceFieldSelector | None, F(2, "")] = None
    configMapKeyRef: Annotated[ConfigMapKeySelector | None, F(3, "")] = None
    secretKeyRef: Annotated[SecretKeySelector | None, F(4, "")] = None
    fileKeyRef: Annotated[FileKeySelector | None, F(5, "")] = None


class EnvVar(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    value: Annotated[str, F(2, "")] = ""
    valueFrom: Annotated[EnvVarSource | None, F(3, "")] = None


class ResourceClaim(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    request: Annotated[str, F(2, "")] = ""


class ResourceRequirements(Message):
    """TODO."""

    limits: Annotated[dict[str, Quantity], F(1, "")] = {}
    requests: Annotated[dict[str, Quantity], F(2, "")] = {}
    claims: Annotated[list[ResourceClaim], F(3, "", list_type="map", list_keys=("name",))] = []


class VolumeDevice(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    devicePath: Annotated[str, F(2, "", required=True)] = always(str)


class VolumeMount(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    readOnly: Annotated[bool, F(2, "")] = False
    recursiveReadOnly: Annotated[str | None, F(7, "")] = None
    mountPath: Annotated[str, F(3, "", required=True)] = always(str)
    subPath: Annotated[str, F(4, "")] = ""
    mountPropagation: Annotated[str | None, F(5, "")] = None
    subPathExpr: Annotated[str, F(6, "")] = ""


class Container(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    image: Annotated[str, F(2, "")] = ""
    command: Annotated[list[str], F(3, "", list_type="atomic")] = []
    args: Annotated[list[str], F(4, "", list_type="atomic")] = []
    workingDir: Annotated[str, F(5, "")] = ""
    ports: Annotated[
        list[ContainerPort],
        F(
            6,
            "",
            merge=True,
            merge_key="containerPort",
            list_type="map",
            list_keys=(
                "containerPort",
                "protocol",
            ),
        ),
    ] = []
    envFrom: Annotated[list[EnvFromSource], F(19, "", list_type="atomic")] = []
    env: Annotated[
        list[EnvVar], F(7, "", merge=True, merge_key="name", list_type="map", list_keys=("name",))
    ] = []
    resources: Annotated[ResourceRequirements, F(8, "")] = always(ResourceRequirements)
    resizePolicy: Annotated[list[ContainerResizePolicy], F(23, "", list_type="atomic")] = []
    restartPolicy: Annotated[str | None, F(24, "")] = None
    restartPolicyRules: Annotated[list[ContainerRestartRule], F(25, "", list_type="atomic")] = []
    volumeMounts: Annotated[
        list[VolumeMount],
        F(9, "", merge=True, merge_key="mountPath", list_type="map", list_keys=("mountPath",)),
    ] = []
    volumeDevices: Annotated[
        list[VolumeDevice],
        F(21, "", merge=True, merge_key="devicePath", list_type="map", list_keys=("devicePath",)),
    ] = []
    livenessProbe: Annotated[Probe | None, F(10, "")] = None
    readinessProbe: Annotated[Probe | None, F(11, "")] = None
    startupProbe: Annotated[Probe | None, F(22, "")] = None
    lifecycle: Annotated[Lifecycle | None, F(12, "")] = None
    terminationMessagePath: Annotated[str, F(13, "")] = ""
    terminationMessagePolicy: Annotated[str, F(20, "")] = ""
    imagePullPolicy: Annotated[str, F(14, "")] = ""
    securityContext: Annotated[SecurityContext | None, F(15, "")] = None
    stdin: Annotated[bool, F(16, "")] = False
    stdinOnce: Annotated[bool, F(17, "")] = False
    tty: Annotated[bool, F(18, "")] = False


class EphemeralContainerCommon(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    image: Annotated[str, F(2, "")] = ""
    command: Annotated[list[str], F(3, "", list_type="atomic")] = []
    args: Annotated[list[str], F(4, "", list_type="atomic")] = []
    workingDir: Annotated[str, F(5, "")] = ""
    ports: Annotated[
        list[ContainerPort],
        F(
            6,
            "",
            merge=True,
            merge_key="containerPort",
            list_type="map",
            list_keys=(
                "containerPort",
                "protocol",
            ),
        ),
    ] = []
    envFrom: Annotated[list[EnvFromSource], F(19, "", list_type="atomic")] = []
    env: Annotated[
        list[EnvVar], F(7, "", merge=True, merge_key="name", list_type="map", list_keys=("name",))
    ] = []
    resources: Annotated[ResourceRequirements, F(8, "")] = always(ResourceRequirements)
    resizePolicy: Annotated[list[ContainerResizePolicy], F(23, "", list_type="atomic")] = []
    restartPolicy: Annotated[str | None, F(24, "")] = None
    restartPolicyRules: Annotated[list[ContainerRestartRule], F(25, "", list_type="atomic")] = []
    volumeMounts: Annotated[
        list[VolumeMount],
        F(9, "", merge=True, merge_key="mountPath", list_type="map", list_keys=("mountPath",)),
    ] = []
    volumeDevices: Annotated[
        list[VolumeDevice],
        F(21, "", merge=True, merge_key="devicePath", list_type="map", list_keys=("devicePath",)),
    ] = []
    livenessProbe: Annotated[Probe | None, F(10, "")] = None
    readinessProbe: Annotated[Probe | None, F(11, "")] = None
    startupProbe: Annotated[Probe | None, F(22, "")] = None
    lifecycle: Annotated[Lifecycle | None, F(12, "")] = None
    terminationMessagePath: Annotated[str, F(13, "")] = ""
    terminationMessagePolicy: Annotated[str, F(20, "")] = ""
    imagePullPolicy: Annotated[str, F(14, "")] = ""
    securityContext: Annotated[SecurityContext | None, F(15, "")] = None
    stdin: Annotated[bool, F(16, "")] = False
    stdinOnce: Annotated[bool, F(17, "")] = False
    tty: Annotated[bool, F(18, "")] = False


class EphemeralContainer(EphemeralContainerCommon):
    """TODO."""

    INLINE: ClassVar[Inline] = ((EphemeralContainerCommon, 1),)
    targetContainerName: Annotated[str, F(2, "")] = ""
