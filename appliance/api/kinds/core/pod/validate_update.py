"""What may change in a pod that runs: little. Called through the `POD` kind.

Source: kubernetes `pkg/apis/core/validation/validation.go` (ValidatePodUpdate and kin).
"""

from collections.abc import Iterator, Sequence

import msgspec

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.internal_form import difference
from appliance.api.kinds.core.pod import validate
from appliance.api.kinds.core.pod.affinity import Toleration
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.object import Pod
from appliance.api.kinds.core.pod.spec import PodSpec

FIXED_SPEC = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`"
    " (only additions to existing tolerations),`spec.terminationGracePeriodSeconds`"
    " (allow it to be set to 1 if it was previously negative)"
)


def validate_update(new: Pod, old: Pod) -> list[Cause]:
    """Give every fault of a write to a pod itself."""
    found = validate.spec(new.spec, "spec")
    for name in ("containers", "initContainers"):
        if len(getattr(new.spec, name)) != len(getattr(old.spec, name)):
            why = "pod updates may not add or remove containers"
            found.append(faults.forbidden(f"spec.{name}", why))
            return found
    found += _deadline(new.spec, old.spec)
    found += _tolerations(new.spec.tolerations, old.spec.tolerations)
    found += _gates(new.spec, old.spec)
    if found:
        return found
    allowed = _with_what_may_change(old.spec, new.spec)
    if allowed != new.spec:
        why = f"{FIXED_SPEC}\n{difference(old.spec, _unchanged_images(new.spec, old.spec))}"
        found.append(faults.forbidden("spec", why))
    return found


def prepare_ephemeral(new: Pod, old: Pod) -> None:
    """Of a write to /ephemeralcontainers only those containers count."""
    new.spec = msgspec.structs.replace(old.spec, ephemeralContainers=new.spec.ephemeralContainers)
    new.status = old.status
    new.metadata = msgspec.structs.replace(old.metadata, managedFields=new.metadata.managedFields)


def validate_ephemeral(new: Pod, old: Pod) -> list[Cause]:
    """Give every fault of a write to /ephemeralcontainers: they may only be added."""
    found = validate.spec(new.spec, "spec")
    if found:
        return found
    path = "spec.ephemeralContainers"
    wanted = {c.name: c for c in new.spec.ephemeralContainers}
    for container in old.spec.ephemeralContainers:
        name = faults.quoted(container.name)
        if container.name not in wanted:
            why = f"existing ephemeral containers {name} may not be removed\n"
            found.append(faults.forbidden(path, why))
        elif wanted[container.name] != container:
            shown = difference(container, wanted[container.name])
            why = f"existing ephemeral containers {name} may not be changed\n{shown}"
            found.append(faults.forbidden(path, why))
    return found


def validate_status(new: Pod, old: Pod) -> list[Cause]:
    """Give every fault of a write to /status."""
    found: list[Cause] = []
    if node := new.status.nominatedNodeName:
        found += checks.named(names.dns_subdomain, node, "status.nominatedNodeName")
    for index, host in enumerate(new.status.hostIPs):
        found += checks.ip(host.ip, f"status.hostIPs[{index}]")
    for index, own in enumerate(new.status.podIPs):
        found += checks.ip(own.ip, f"status.podIPs[{index}]")
    return [*found, *_comebacks(new, old)]


def _comebacks(new: Pod, old: Pod) -> Iterator[Cause]:
    """A container that has ended for good does not run again."""
    if old.spec.restartPolicy == "Always":
        return
    wanted = {s.name: s for s in new.status.containerStatuses}
    own_policy = {c.name for c in old.spec.containers if c.restartPolicy or c.restartPolicyRules}
    for index, was in enumerate(old.status.containerStatuses):
        ended, now = was.state.terminated, wanted.get(was.name)
        if not ended or not now or now.state.terminated or was.name in own_policy:
            continue
        if old.spec.restartPolicy == "OnFailure" and ended.exitCode != 0:
            continue
        why = "may not be transitioned to non-terminated state"
        yield faults.forbidden(f"status.containerStatuses[{index}].state", why)


def _deadline(new: PodSpec, old: PodSpec) -> Iterator[Cause]:
    path = "spec.activeDeadlineSeconds"
    before, after = old.activeDeadlineSeconds, new.activeDeadlineSeconds
    if before is None:
        return
    if after is None:
        why = "must not update from a positive integer to nil value"
        yield faults.wrong(path, None, why)
    elif after > before:
        yield faults.wrong(path, after, "must be less than or equal to previous value")


def _tolerations(new: Sequence[Toleration], old: Sequence[Toleration]) -> Iterator[Cause]:
    def identity(each: Toleration) -> tuple[str, str, str, str]:
        return (each.key, each.operator, each.value, each.effect)

    if not {identity(t) for t in old} <= {identity(t) for t in new}:
        why = "existing toleration can not be modified except its tolerationSeconds"
        yield faults.forbidden("spec.tolerations", why)


def _gates(new: PodSpec, old: PodSpec) -> Iterator[Cause]:
    known = {g.name for g in old.schedulingGates}
    for index, gate in enumerate(new.schedulingGates):
        if gate.name not in known:
            why = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            yield faults.forbidden(f"spec.schedulingGates[{index}].name", why)


def _with_what_may_change(old: PodSpec, new: PodSpec) -> PodSpec:
    """The old spec with those parts of the new one that are free to change."""
    merged = msgspec.structs.replace(
        old,
        containers=_with_images(old.containers, new.containers),
        initContainers=_with_images(old.initContainers, new.initContainers),
        activeDeadlineSeconds=new.activeDeadlineSeconds,
        tolerations=new.tolerations,
        schedulingGates=new.schedulingGates,
    )
    grace_s = old.terminationGracePeriodSeconds
    if grace_s is not None and grace_s < 0 and new.terminationGracePeriodSeconds == 1:
        merged.terminationGracePeriodSeconds = 1
    if old.schedulingGates:
        # Not scheduled yet: where it may go can still be narrowed.
        merged.nodeSelector, merged.affinity = new.nodeSelector, new.affinity
    return merged


def _unchanged_images(new: PodSpec, old: PodSpec) -> PodSpec:
    """The new spec, but for what is free to change: a message shows only what is refused."""
    return msgspec.structs.replace(
        new,
        containers=_with_images(new.containers, old.containers),
        initContainers=_with_images(new.initContainers, old.initContainers),
        activeDeadlineSeconds=old.activeDeadlineSeconds,
        tolerations=old.tolerations,
        schedulingGates=old.schedulingGates,
    )


def _with_images(base: Sequence[Container], images: Sequence[Container]) -> list[Container]:
    pairs = zip(base, images, strict=True)
    return [msgspec.structs.replace(b, image=i.image) for b, i in pairs]
