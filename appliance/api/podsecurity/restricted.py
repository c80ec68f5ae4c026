"""The level `restricted`: pods that are hardened as far as is known; baseline and more."""

from collections.abc import Iterator

from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.pod.volumes import Volume
from appliance.api.podsecurity import baseline
from appliance.api.podsecurity.words import (
    Check,
    Failure,
    containers,
    context,
    listed,
    named,
    pod_context,
    those,
    unique,
)

_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
_SECCOMP = ("RuntimeDefault", "Localhost")


def escalation(spec: PodSpec) -> Iterator[Failure]:
    """No program gets more rights than its parent."""
    bad = those(spec, lambda c: c.allowPrivilegeEscalation is not False)
    if bad:
        where = named("container", bad)
        text = f"{where} must set securityContext.allowPrivilegeEscalation=false"
        yield Failure("allowPrivilegeEscalation != false", text)


def capabilities(spec: PodSpec) -> Iterator[Failure]:
    """All are dropped; binding low ports may be given back."""
    keeping, adding, added = [], [], []
    for container in containers(spec):
        wanted = context(container).capabilities
        if wanted is None or "ALL" not in wanted.drop:
            keeping.append(container.name)
        beyond = [c for c in (wanted.add if wanted else ()) if c != "NET_BIND_SERVICE"]
        if beyond:
            adding.append(container.name)
            added += beyond
    details = []
    if keeping:
        where = named("container", keeping)
        details.append(f'{where} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        where, what = named("container", adding), listed(unique(added))
        details.append(f"{where} must not include {what} in securityContext.capabilities.add")
    if details:
        yield Failure("unrestricted capabilities", "; ".join(details))


def volumes(spec: PodSpec) -> Iterator[Failure]:
    """Only kinds of volumes that lead nowhere but to the pod's own data."""
    bad = [(v.name, kind) for v in spec.volumes if (kind := _kind(v)) not in _VOLUMES]
    if bad:
        kinds = unique(kind for _, kind in bad)
        uses = "use" if len(bad) > 1 else "uses"
        what = f"restricted volume type{'s' if len(kinds) > 1 else ''} {listed(kinds)}"
        text = f"{named('volume', [name for name, _ in bad])} {uses} {what}"
        yield Failure("restricted volume types", text)


def _kind(volume: Volume) -> str:
    fields = (name for name in volume.__struct_fields__ if name != "name")
    return next((name for name in fields if getattr(volume, name) is not None), "emptyDir")


def non_root(spec: PodSpec) -> Iterator[Failure]:
    """Somebody says that it is not root."""
    whole = pod_context(spec).runAsNonRoot
    wrong = ["pod"] if whole is False else []
    denied = those(spec, lambda c: c.runAsNonRoot is False)
    if denied:
        wrong.append(named("container", denied))
    if wrong:
        where = " and ".join(wrong)
        text = f"{where} must not set securityContext.runAsNonRoot=false"
        yield Failure("runAsNonRoot != true", text)
        return
    silent = those(spec, lambda c: c.runAsNonRoot is None)
    if silent and whole is not True:
        where = named("container", silent)
        text = f"pod or {where} must set securityContext.runAsNonRoot=true"
        yield Failure("runAsNonRoot != true", text)


def user(spec: PodSpec) -> Iterator[Failure]:
    """And it is not."""
    wrong = ["pod"] if pod_context(spec).runAsUser == 0 else []
    bad = those(spec, lambda c: c.runAsUser == 0)
    if bad:
        wrong.append(named("container", bad))
    if wrong:
        yield Failure("runAsUser=0", f"{' and '.join(wrong)} must not set runAsUser=0")


def seccomp(spec: PodSpec) -> Iterator[Failure]:
    """System calls are filtered."""
    profile = pod_context(spec).seccompProfile
    wrong: list[str] = []
    kinds: list[str] = []
    if profile is not None and profile.type not in _SECCOMP:
        wrong.append("pod")
        kinds.append(profile.type)
    for container in containers(spec):
        own = context(container).seccompProfile
        if own is not None and own.type not in _SECCOMP:
            wrong.append(named("container", [container.name]))
            kinds.append(own.type)
    if wrong:
        what = listed(unique(kinds))
        text = f"{' and '.join(wrong)} must not set securityContext.seccompProfile.type to {what}"
        yield Failure("seccompProfile", text)
        return
    silent = those(spec, lambda c: c.seccompProfile is None)
    if silent and profile is None:
        where = named("container", silent)
        where = f"pod or {where} must set securityContext.seccompProfile.type"
        text = f'{where} to "RuntimeDefault" or "Localhost"'
        yield Failure("seccompProfile", text)


_STRICTER = {baseline.capabilities, baseline.host_paths, baseline.seccomp}
"""Checks of the lower level that one of ours takes the place of."""

CHECKS: tuple[Check, ...] = (
    *(check for check in baseline.CHECKS if check not in _STRICTER),
    escalation,
    capabilities,
    volumes,
    non_root,
    user,
    seccomp,
)
