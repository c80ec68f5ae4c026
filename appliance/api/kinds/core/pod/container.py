"""Containers: what they run, with what, and for how much."""

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
    """A port that a container listens on."""

    name: Annotated[str, F(1, "Name, unique in the pod; Services can refer to it.")] = ""
    hostPort: Annotated[Int32, F(2, "Port of the node that leads here; rarely needed.")] = 0
    containerPort: Annotated[
        Int32, F(3, "Port number in the pod, from 1 to 65535.", required=True)
    ] = always(int)
    protocol: Annotated[
        str, F(4, "TCP, UDP or SCTP.", enum=("SCTP", "TCP", "UDP"), default="TCP")
    ] = ""
    hostIP: Annotated[str, F(5, "Address of the node that the host port is bound to.")] = ""


class ContainerResizePolicy(Message):
    """What happens when a resource is resized."""

    resourceName: Annotated[str, F(1, "cpu or memory.", required=True)] = always(str)
    restartPolicy: Annotated[str, F(2, "NotRequired or RestartContainer.", required=True)] = always(
        str
    )


class ContainerRestartRuleOnExitCodes(Message):
    """Exit codes that a rule is for."""

    operator: Annotated[str, F(1, "In or NotIn.")] = ""
    values: Annotated[list[Int32], F(2, "The codes, at most 255.", list_type="set")] = []


class ContainerRestartRule(Message):
    """What to do when a container ends in a certain way."""

    action: Annotated[str, F(1, "What to do: Restart or RestartAllContainers.")] = ""
    exitCodes: Annotated[
        ContainerRestartRuleOnExitCodes | None, F(2, "Exit codes that it is for.")
    ] = None


class ConfigMapEnvSource(LocalObjectReference):
    """A config map whose keys all become variables."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    optional: Annotated[bool | None, F(2, "True: nothing is wrong if it is missing.")] = None


class SecretEnvSource(LocalObjectReference):
    """A secret whose keys all become variables."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    optional: Annotated[bool | None, F(2, "True: nothing is wrong if it is missing.")] = None


class EnvFromSource(Message):
    """Something whose keys all become variables."""

    prefix: Annotated[str, F(1, "What is put before each name.")] = ""
    configMapRef: Annotated[ConfigMapEnvSource | None, F(2, "The config map.")] = None
    secretRef: Annotated[SecretEnvSource | None, F(3, "The secret.")] = None


class EnvVarSource(Message):
    """Where the value of a variable comes from."""

    fieldRef: Annotated[ObjectFieldSelector | None, F(1, "A field of the pod.")] = None
    resourceFieldRef: Annotated[
        ResourceFieldSelector | None, F(2, "A request or a limit of the container.")
    ] = None
    configMapKeyRef: Annotated[ConfigMapKeySelector | None, F(3, "A key of a config map.")] = None
    secretKeyRef: Annotated[SecretKeySelector | None, F(4, "A key of a secret.")] = None
    fileKeyRef: Annotated[FileKeySelector | None, F(5, "A variable in a file of a volume.")] = None


class EnvVar(Message):
    """An environment variable."""

    name: Annotated[str, F(1, "Name; printable ASCII but for `=`.", required=True)] = always(str)
    value: Annotated[
        str, F(2, "Value; $(NAME) stands for variables before it, $$ for a dollar.")
    ] = ""
    valueFrom: Annotated[EnvVarSource | None, F(3, "Where the value comes from instead.")] = None


class ResourceClaim(Message):
    """A claim of the pod that a container uses."""

    name: Annotated[str, F(1, "Name of the claim in the pod.", required=True)] = always(str)
    request: Annotated[str, F(2, "Part of the claim; all of it unless said.")] = ""


class ResourceRequirements(Message):
    """How much a container needs, and how much it may have."""

    limits: Annotated[
        dict[str, Quantity], F(1, "The most it may have, such as cpu and memory.")
    ] = {}
    requests: Annotated[
        dict[str, Quantity],
        F(2, "The least it needs: the scheduler keeps that free. The limit unless said."),
    ] = {}
    claims: Annotated[
        list[ResourceClaim],
        F(3, "Claims of the pod that it uses.", list_type="map", list_keys=("name",)),
    ] = []


class VolumeDevice(Message):
    """A block volume in a container."""

    name: Annotated[str, F(1, "Name of the claim in the pod.", required=True)] = always(str)
    devicePath: Annotated[str, F(2, "Device under which the container sees it.", required=True)] = (
        always(str)
    )


class VolumeMount(Message):
    """A volume in a container."""

    name: Annotated[str, F(1, "Name of the volume in the pod.", required=True)] = always(str)
    readOnly: Annotated[bool, F(2, "True: it cannot be written to.")] = False
    recursiveReadOnly: Annotated[
        str | None, F(7, "Whether read-only goes for what is mounted below, too.")
    ] = None
    mountPath: Annotated[
        str, F(3, "Where the container sees it; may not contain `:`.", required=True)
    ] = always(str)
    subPath: Annotated[str, F(4, "Path in the volume that is mounted, instead of its root.")] = ""
    mountPropagation: Annotated[
        str | None,
        F(
            5,
            "Whether later mounts show: None, HostToContainer or Bidirectional.",
            enum=("Bidirectional", "HostToContainer", "None"),
        ),
    ] = None
    subPathExpr: Annotated[
        str, F(6, "subPath in which $(NAME) stands for variables of the container.")
    ] = ""


class ContainerFields(Message):
    """What containers of every sort have."""

    name: Annotated[str, F(1, "Name, unique in the pod; cannot change.", required=True)] = always(
        str
    )
    image: Annotated[str, F(2, "Image that it is made from.")] = ""
    command: Annotated[
        list[str],
        F(
            3,
            "Program and first arguments, instead of the image's entry point.",
            list_type="atomic",
        ),
    ] = []
    args: Annotated[list[str], F(4, "Arguments, instead of the image's.", list_type="atomic")] = []
    workingDir: Annotated[str, F(5, "Folder that it starts in; the image's unless said.")] = ""
    ports: Annotated[
        list[ContainerPort],
        F(
            6,
            "Ports that it listens on; for information and for host ports.",
            merge=True,
            merge_key="containerPort",
            list_type="map",
            list_keys=(
                "containerPort",
                "protocol",
            ),
        ),
    ] = []
    envFrom: Annotated[
        list[EnvFromSource],
        F(19, "Things whose keys all become variables; env wins over them.", list_type="atomic"),
    ] = []
    env: Annotated[
        list[EnvVar],
        F(
            7,
            "Environment variables.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    resources: Annotated[ResourceRequirements, F(8, "How much it needs and may have.")] = always(
        ResourceRequirements
    )
    resizePolicy: Annotated[
        list[ContainerResizePolicy],
        F(23, "What happens when its resources change.", list_type="atomic"),
    ] = []
    restartPolicy: Annotated[
        str | None, F(24, "When it is restarted; Always makes an init container a sidecar.")
    ] = None
    restartPolicyRules: Annotated[
        list[ContainerRestartRule],
        F(25, "Exceptions from restartPolicy by exit code.", list_type="atomic"),
    ] = []
    volumeMounts: Annotated[
        list[VolumeMount],
        F(
            9,
            "Volumes of the pod that it sees.",
            merge=True,
            merge_key="mountPath",
            list_type="map",
            list_keys=("mountPath",),
        ),
    ] = []
    volumeDevices: Annotated[
        list[VolumeDevice],
        F(
            21,
            "Block volumes of the pod that it sees.",
            merge=True,
            merge_key="devicePath",
            list_type="map",
            list_keys=("devicePath",),
        ),
    ] = []
    livenessProbe: Annotated[Probe | None, F(10, "When this fails the container is restarted.")] = (
        None
    )
    readinessProbe: Annotated[
        Probe | None, F(11, "While this fails Services send no traffic here.")
    ] = None
    startupProbe: Annotated[Probe | None, F(22, "Until this succeeds the other probes wait.")] = (
        None
    )
    lifecycle: Annotated[
        Lifecycle | None, F(12, "What to do when it has started and before it stops.")
    ] = None
    terminationMessagePath: Annotated[str, F(13, "File from which its last words are read.")] = ""
    terminationMessagePolicy: Annotated[
        str,
        F(
            20,
            "File, or FallbackToLogsOnError: the log if the file is empty.",
            enum=("FallbackToLogsOnError", "File"),
        ),
    ] = ""
    imagePullPolicy: Annotated[
        str,
        F(
            14,
            "Always, IfNotPresent or Never; Always for tag latest.",
            enum=("Always", "IfNotPresent", "Never"),
        ),
    ] = ""
    securityContext: Annotated[SecurityContext | None, F(15, "What its processes may do.")] = None
    stdin: Annotated[bool, F(16, "True: keep standard input open.")] = False
    stdinOnce: Annotated[
        bool, F(17, "True: close standard input when the first client leaves.")
    ] = False
    tty: Annotated[bool, F(18, "True: give it a terminal; needs stdin.")] = False


class Container(ContainerFields):
    """A container of a pod."""


class EphemeralContainerCommon(ContainerFields):
    """What an ephemeral container shares with others."""


class EphemeralContainer(EphemeralContainerCommon):
    """A container put into a pod that runs, to look around in it."""

    INLINE: ClassVar[Inline] = ((EphemeralContainerCommon, 1),)
    targetContainerName: Annotated[str, F(2, "Container whose processes it shall see.")] = ""
