"""TODO."""

from typing import Annotated

from appliance.api.schema import F, Int64, Message, always


class AppArmorProfile(Message):
    """TODO."""

    type: Annotated[str, F(1, "", required=True)] = always(str)
    localhostProfile: Annotated[str | None, F(2, "")] = None


class Capabilities(Message):
    """TODO."""

    add: Annotated[list[str], F(1, "", list_type="atomic")] = []
    drop: Annotated[list[str], F(2, "", list_type="atomic")] = []


class SELinuxOptions(Message):
    """TODO."""

    user: Annotated[str, F(1, "")] = ""
    role: Annotated[str, F(2, "")] = ""
    type: Annotated[str, F(3, "")] = ""
    level: Annotated[str, F(4, "")] = ""


class SeccompProfile(Message):
    """TODO."""

    type: Annotated[str, F(1, "", required=True)] = always(str)
    localhostProfile: Annotated[str | None, F(2, "")] = None


class WindowsSecurityContextOptions(Message):
    """TODO."""

    gmsaCredentialSpecName: Annotated[str | None, F(1, "")] = None
    gmsaCredentialSpec: Annotated[str | None, F(2, "")] = None
    runAsUserName: Annotated[str | None, F(3, "")] = None
    hostProcess: Annotated[bool | None, F(4, "")] = None


class SecurityContext(Message):
    """TODO."""

    capabilities: Annotated[Capabilities | None, F(1, "")] = None
    privileged: Annotated[bool | None, F(2, "")] = None
    seLinuxOptions: Annotated[SELinuxOptions | None, F(3, "")] = None
    windowsOptions: Annotated[WindowsSecurityContextOptions | None, F(10, "")] = None
    runAsUser: Annotated[Int64 | None, F(4, "")] = None
    runAsGroup: Annotated[Int64 | None, F(8, "")] = None
    runAsNonRoot: Annotated[bool | None, F(5, "")] = None
    readOnlyRootFilesystem: Annotated[bool | None, F(6, "")] = None
    allowPrivilegeEscalation: Annotated[bool | None, F(7, "")] = None
    procMount: Annotated[str | None, F(9, "")] = None
    seccompProfile: Annotated[SeccompProfile | None, F(11, "")] = None
    appArmorProfile: Annotated[AppArmorProfile | None, F(12, "")] = None


class Sysctl(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)
    value: Annotated[str, F(2, "", required=True)] = always(str)


class PodSecurityContext(Message):
    """TODO."""

    seLinuxOptions: Annotated[SELinuxOptions | None, F(1, "")] = None
    windowsOptions: Annotated[WindowsSecurityContextOptions | None, F(8, "")] = None
    runAsUser: Annotated[Int64 | None, F(2, "")] = None
    runAsGroup: Annotated[Int64 | None, F(6, "")] = None
    runAsNonRoot: Annotated[bool | None, F(3, "")] = None
    supplementalGroups: Annotated[list[Int64], F(4, "", list_type="atomic")] = []
    supplementalGroupsPolicy: Annotated[str | None, F(12, "")] = None
    fsGroup: Annotated[Int64 | None, F(5, "")] = None
    sysctls: Annotated[list[Sysctl], F(7, "", list_type="atomic")] = []
    fsGroupChangePolicy: Annotated[str | None, F(9, "")] = None
    seccompProfile: Annotated[SeccompProfile | None, F(10, "")] = None
    appArmorProfile: Annotated[AppArmorProfile | None, F(11, "")] = None
    seLinuxChangePolicy: Annotated[str | None, F(13, "")] = None
