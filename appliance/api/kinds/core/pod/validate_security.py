"""Security contexts of pods and containers. Called by the validation of both."""

from collections.abc import Iterator

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.internal_form import internal_form
from appliance.api.kinds.core.pod.security import (
    AppArmorProfile,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
)

PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")


def container_security(context: SecurityContext, path: str, *, own_users: bool) -> Iterator[Cause]:
    """Check a container's; `own_users` where the pod has a user namespace."""
    yield from checks.between(context.runAsUser, 0, checks.INT32_MAX, f"{path}.runAsUser")
    yield from checks.between(context.runAsGroup, 0, checks.INT32_MAX, f"{path}.runAsGroup")
    if context.procMount is not None:
        here = f"{path}.procMount"
        yield from checks.one_of(context.procMount, ("Default", "Unmasked"), here)
        if context.procMount == "Unmasked" and not own_users:
            why = "`hostUsers` must be false to use `Unmasked`"
            yield faults.wrong(here, context.procMount, why)
    yield from _seccomp(context.seccompProfile, f"{path}.seccompProfile")
    yield from _app_armor(context.appArmorProfile, f"{path}.appArmorProfile")
    if context.allowPrivilegeEscalation is False:
        yield from _no_escalation(context, path)


def _no_escalation(context: SecurityContext, path: str) -> Iterator[Cause]:
    refused = "cannot set `allowPrivilegeEscalation` to false and"
    if context.privileged:
        shown = internal_form(context)
        yield faults.wrong(path, shown, f"{refused} `privileged` to true")
    if context.capabilities and "CAP_SYS_ADMIN" in context.capabilities.add:
        shown = internal_form(context)
        yield faults.wrong(path, shown, f"{refused} `capabilities.Add` CAP_SYS_ADMIN")


def pod_security(context: PodSecurityContext, path: str) -> Iterator[Cause]:
    """Check a pod's."""
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        value = getattr(context, name)
        yield from checks.between(value, 0, checks.INT32_MAX, f"{path}.{name}")
    for index, group in enumerate(context.supplementalGroups):
        here = f"{path}.supplementalGroups[{index}]"
        yield from checks.between(group, 0, checks.INT32_MAX, here)
    choices = (
        ("fsGroupChangePolicy", ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", ("Merge", "Strict")),
        ("seLinuxChangePolicy", ("MountOption", "Recursive")),
    )
    for name, allowed in choices:
        value = getattr(context, name)
        if value is not None and value not in allowed:
            yield faults.unsupported(f"{path}.{name}", value, allowed)
    seen: set[str] = set()
    for index, sysctl in enumerate(context.sysctls):
        here = f"{path}.sysctls[{index}].name"
        yield from checks.required(sysctl.name, here)
        if sysctl.name in seen:
            yield faults.duplicate(here, sysctl.name)
        seen.add(sysctl.name)
    yield from _seccomp(context.seccompProfile, f"{path}.seccompProfile")
    yield from _app_armor(context.appArmorProfile, f"{path}.appArmorProfile")


def _seccomp(profile: SeccompProfile | None, path: str) -> Iterator[Cause]:
    if profile is None:
        return
    here = f"{path}.localhostProfile"
    if profile.type == "Localhost":
        if profile.localhostProfile:
            yield from checks.descending(profile.localhostProfile, here)
        else:
            yield faults.required(here, "must be set when seccomp type is Localhost")
    elif profile.localhostProfile is not None:
        why = "can only be set when seccomp type is Localhost"
        yield faults.wrong(here, internal_form(profile), why)
    missing = "type is required when seccompProfile is set"
    yield from checks.one_of(profile.type, PROFILES, f"{path}.type", missing)


def _app_armor(profile: AppArmorProfile | None, path: str) -> Iterator[Cause]:
    if profile is None:
        return
    here = f"{path}.localhostProfile"
    missing = "type is required when appArmorProfile is set"
    yield from checks.one_of(profile.type, PROFILES, f"{path}.type", missing)
    if profile.type == "Localhost":
        if not profile.localhostProfile:
            yield faults.required(here, "must be set when AppArmor type is Localhost")
    elif profile.localhostProfile is not None:
        why = "can only be set when AppArmor type is Localhost"
        yield faults.wrong(here, profile.localhostProfile, why)
