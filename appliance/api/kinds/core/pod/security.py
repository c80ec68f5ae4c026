"""What the processes of a pod and of its containers may do."""

from typing import Annotated

from appliance.api.schema import F, Int64, Message, always


class AppArmorProfile(Message):
    """AppArmor profile of a container."""

    type: Annotated[
        str,
        F(
            1,
            "RuntimeDefault, Unconfined, or Localhost for a profile of the node.",
            enum=("Localhost", "RuntimeDefault", "Unconfined"),
            required=True,
        ),
    ] = always(str)
    localhostProfile: Annotated[str | None, F(2, "Name of the profile on the node.")] = None


class Capabilities(Message):
    """Linux capabilities to give or take."""

    add: Annotated[list[str], F(1, "To give, without `CAP_`.", list_type="atomic")] = []
    drop: Annotated[list[str], F(2, "To take; ALL takes all.", list_type="atomic")] = []


class SELinuxOptions(Message):
    """SELinux label of a container."""

    user: Annotated[str, F(1, "User of the label.")] = ""
    role: Annotated[str, F(2, "Role of the label.")] = ""
    type: Annotated[str, F(3, "Type of the label.")] = ""
    level: Annotated[str, F(4, "Level of the label.")] = ""


class SeccompProfile(Message):
    """Which system calls a container may make."""

    type: Annotated[
        str,
        F(
            1,
            "RuntimeDefault, Unconfined, or Localhost for a file of the node.",
            enum=("Localhost", "RuntimeDefault", "Unconfined"),
            required=True,
        ),
    ] = always(str)
    localhostProfile: Annotated[
        str | None, F(2, "Path of the file, below the node's folder of profiles.")
    ] = None


class WindowsSecurityContextOptions(Message):
    """For Windows, which this product does not run."""

    gmsaCredentialSpecName: Annotated[str | None, F(1, "Name of a GMSA credential spec.")] = None
    gmsaCredentialSpec: Annotated[str | None, F(2, "Content of a GMSA credential spec.")] = None
    runAsUserName: Annotated[str | None, F(3, "User that runs the entry point.")] = None
    hostProcess: Annotated[bool | None, F(4, "True: run as a host process.")] = None


class SecurityContext(Message):
    """What the processes of a container may do; wins over the pod's."""

    capabilities: Annotated[Capabilities | None, F(1, "Linux capabilities to give or take.")] = None
    privileged: Annotated[bool | None, F(2, "True: as good as root on the node.")] = None
    seLinuxOptions: Annotated[SELinuxOptions | None, F(3, "SELinux label.")] = None
    windowsOptions: Annotated[WindowsSecurityContextOptions | None, F(10, "For Windows only.")] = (
        None
    )
    runAsUser: Annotated[
        Int64 | None, F(4, "User id of the entry point; the image's unless said.")
    ] = None
    runAsGroup: Annotated[Int64 | None, F(8, "Group id of the entry point.")] = None
    runAsNonRoot: Annotated[bool | None, F(5, "True: refuse to start as user 0.")] = None
    readOnlyRootFilesystem: Annotated[
        bool | None, F(6, "True: the root filesystem cannot be written to.")
    ] = None
    allowPrivilegeEscalation: Annotated[
        bool | None, F(7, "False: no process can get more rights than its parent.")
    ] = None
    procMount: Annotated[
        str | None,
        F(9, "Default hides parts of /proc; Unmasked does not.", enum=("Default", "Unmasked")),
    ] = None
    seccompProfile: Annotated[SeccompProfile | None, F(11, "Which system calls it may make.")] = (
        None
    )
    appArmorProfile: Annotated[AppArmorProfile | None, F(12, "AppArmor profile.")] = None


class Sysctl(Message):
    """A kernel setting of the pod."""

    name: Annotated[str, F(1, "Name of the setting.", required=True)] = always(str)
    value: Annotated[str, F(2, "Its value.", required=True)] = always(str)


class PodSecurityContext(Message):
    """What the processes of a pod may do, and who owns its volumes."""

    seLinuxOptions: Annotated[SELinuxOptions | None, F(1, "SELinux label of all containers.")] = (
        None
    )
    windowsOptions: Annotated[WindowsSecurityContextOptions | None, F(8, "For Windows only.")] = (
        None
    )
    runAsUser: Annotated[Int64 | None, F(2, "User id of the entry points.")] = None
    runAsGroup: Annotated[Int64 | None, F(6, "Group id of the entry points.")] = None
    runAsNonRoot: Annotated[bool | None, F(3, "True: refuse to start as user 0.")] = None
    supplementalGroups: Annotated[
        list[Int64], F(4, "Further group ids of the first processes.", list_type="atomic")
    ] = []
    supplementalGroupsPolicy: Annotated[
        str | None, F(12, "Merge with the image's groups, or Strict.", enum=("Merge", "Strict"))
    ] = None
    fsGroup: Annotated[Int64 | None, F(5, "Group that owns volumes which support that.")] = None
    sysctls: Annotated[list[Sysctl], F(7, "Kernel settings of the pod.", list_type="atomic")] = []
    fsGroupChangePolicy: Annotated[
        str | None,
        F(
            9,
            "OnRootMismatch: do not change owners if the root has the right one.",
            enum=("Always", "OnRootMismatch"),
        ),
    ] = None
    seccompProfile: Annotated[
        SeccompProfile | None, F(10, "Which system calls containers may make.")
    ] = None
    appArmorProfile: Annotated[
        AppArmorProfile | None, F(11, "AppArmor profile of all containers.")
    ] = None
    seLinuxChangePolicy: Annotated[
        str | None, F(13, "How volumes get the label: MountOption or Recursive.")
    ] = None
