"""Containers of all three sorts: regular, init and ephemeral. Called by the validation of pods.

Source: kubernetes `pkg/apis/core/validation/validation.go`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.pod import validate_env, validate_probes
from appliance.api.kinds.core.pod.container import (
    Container,
    ContainerFields,
    ContainerPort,
    EphemeralContainer,
    VolumeMount,
)
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.pod.validate_resources import resources
from appliance.api.kinds.core.pod.validate_security import container_security

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
RESTART_POLICIES = ("Always", "Never", "OnFailure")
PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
NOT_FOR_INIT = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
NOT_FOR_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    *NOT_FOR_INIT,
)


@dataclass(frozen=True, slots=True)
class Around:
    """What of the pod a container's rules refer to."""

    volumes: frozenset[str]
    grace_s: int
    own_users: bool


def around(spec: PodSpec, volumes: frozenset[str]) -> Around:
    """Collect it from a spec and the names of its sound volumes."""
    grace_s = spec.terminationGracePeriodSeconds
    return Around(volumes, 0 if grace_s is None else grace_s, spec.hostUsers is False)


def containers(spec: PodSpec, about: Around, path: str) -> Iterator[Cause]:
    """Check all containers of a pod spec."""
    yield from _regular(spec.containers, about, f"{path}.containers")
    yield from _init(spec, about, f"{path}.initContainers")
    yield from _ephemeral(spec, about, f"{path}.ephemeralContainers")


def _regular(found: Sequence[Container], about: Around, path: str) -> Iterator[Cause]:
    yield from checks.required(found, path)
    seen: set[str] = set()
    for index, container in enumerate(found):
        here = f"{path}[{index}]"
        yield from _common(container, about, here)
        yield from _restart_policy(container, here)
        yield from validate_probes.lifecycle(container, about.grace_s, here)
        yield from validate_probes.probes(container, about.grace_s, here)
        if container.name in seen:
            yield faults.duplicate(f"{here}.name", container.name)
        seen.add(container.name)
    yield from _host_ports(found, path, 0)


def _init(spec: PodSpec, about: Around, path: str) -> Iterator[Cause]:
    seen = {c.name for c in spec.containers}
    for index, container in enumerate(spec.initContainers):
        here = f"{path}[{index}]"
        yield from _common(container, about, here)
        yield from _restart_policy(container, here)
        if container.name in seen:
            yield faults.duplicate(f"{here}.name", container.name)
        elif container.name:
            seen.add(container.name)
        # They run one by one, so two of them may use the same port.
        yield from _host_ports([container], path, index)
        if container.restartPolicy == "Always":
            yield from validate_probes.lifecycle(container, about.grace_s, here)
            yield from validate_probes.probes(container, about.grace_s, here)
            continue
        why = "may not be set for init containers without restartPolicy=Always"
        for name in NOT_FOR_INIT:
            if getattr(container, name) is not None:
                yield faults.forbidden(f"{here}.{name}", why)


def _ephemeral(spec: PodSpec, about: Around, path: str) -> Iterator[Cause]:
    others = {c.name for c in (*spec.containers, *spec.initContainers)}
    seen = set(others)
    for index, container in enumerate(spec.ephemeralContainers):
        here = f"{path}[{index}]"
        yield from _common(container, about, here)
        blank = EphemeralContainer()
        for name in NOT_FOR_EPHEMERAL:
            if getattr(container, name) != getattr(blank, name):
                why = "cannot be set for an Ephemeral Container"
                yield faults.forbidden(f"{here}.{name}", why)
        if container.name in seen:
            yield faults.duplicate(f"{here}.name", container.name)
        seen.add(container.name)
        target = container.targetContainerName
        if target and target not in others:
            yield faults.missing(f"{here}.targetContainerName", target)
        for at, mount in enumerate(container.volumeMounts):
            for name in ("subPath", "subPathExpr"):
                if getattr(mount, name):
                    why = "cannot be set for an Ephemeral Container"
                    yield faults.forbidden(f"{here}.volumeMounts[{at}].{name}", why)


def _common(container: ContainerFields, about: Around, path: str) -> Iterator[Cause]:
    if container.name:
        yield from checks.named(names.dns_label, container.name, f"{path}.name")
    else:
        yield faults.required(f"{path}.name")
    yield from image(container.image, f"{path}.image")
    yield from _message_policy(container.terminationMessagePolicy, path)
    yield from _ports(container.ports, f"{path}.ports")
    yield from validate_env.env(container.env, f"{path}.env")
    yield from validate_env.env_from(container.envFrom, f"{path}.envFrom")
    yield from _mounts(container, about, f"{path}.volumeMounts")
    yield from _devices(container, about, f"{path}.volumeDevices")
    yield from checks.one_of(container.imagePullPolicy, PULL_POLICIES, f"{path}.imagePullPolicy")
    if isinstance(container, Container):
        yield from resources(container.resources, f"{path}.resources")
    if container.securityContext:
        here = f"{path}.securityContext"
        yield from container_security(container.securityContext, here, own_users=about.own_users)


def image(name: str, path: str) -> Iterator[Cause]:
    """Check the name of an image; what it means is for the engine to say."""
    yield from checks.required(name, path)
    if name.strip() != name:
        yield faults.wrong(path, name, "must not have leading or trailing whitespace")


def _message_policy(policy: str, path: str) -> Iterator[Cause]:
    here = f"{path}.terminationMessagePolicy"
    if not policy:
        yield faults.required(here)
    elif policy not in {"File", "FallbackToLogsOnError"}:
        yield faults.wrong(here, policy, "must be 'File' or 'FallbackToLogsOnError'")


def _restart_policy(container: Container, path: str) -> Iterator[Cause]:
    policy = container.restartPolicy
    if policy is not None and policy not in RESTART_POLICIES:
        yield faults.unsupported(f"{path}.restartPolicy", policy, RESTART_POLICIES)
    if container.restartPolicyRules and policy is None:
        why = "must specify restartPolicy when restart rules are used"
        yield faults.required(f"{path}.restartPolicy", why)


def _ports(ports: Sequence[ContainerPort], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        if port.name:
            broken = list(checks.named(names.port_name, port.name, f"{here}.name"))
            yield from broken
            if not broken and port.name in seen:
                yield faults.duplicate(f"{here}.name", port.name)
            seen.add(port.name)
        if port.containerPort:
            yield from checks.port(port.containerPort, f"{here}.containerPort")
        else:
            yield faults.required(f"{here}.containerPort")
        if port.hostPort:
            yield from checks.port(port.hostPort, f"{here}.hostPort")
        yield from checks.one_of(port.protocol, checks.PROTOCOLS, f"{here}.protocol")


def _host_ports(found: Sequence[Container], path: str, start: int) -> Iterator[Cause]:
    seen: set[str] = set()
    for at, container in enumerate(found, start):
        for index, port in enumerate(container.ports):
            if not port.hostPort:
                continue
            claim = f"{port.protocol}/{port.hostIP}/{port.hostPort}"
            if claim in seen:
                yield faults.duplicate(f"{path}[{at}].ports[{index}].hostPort", claim)
            seen.add(claim)


def _mounts(container: ContainerFields, about: Around, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    devices = {d.name for d in container.volumeDevices}
    for index, mount in enumerate(container.volumeMounts):
        here = f"{path}[{index}]"
        if not mount.name:
            yield faults.required(f"{here}.name")
        elif mount.name not in about.volumes:
            yield faults.missing(f"{here}.name", mount.name)
        yield from checks.required(mount.mountPath, f"{here}.mountPath")
        if mount.mountPath in seen:
            yield faults.wrong(f"{here}.mountPath", mount.mountPath, "must be unique")
        seen.add(mount.mountPath)
        if mount.name and mount.name in devices:
            why = "must not already exist in volumeDevices"
            yield faults.wrong(f"{here}.name", mount.name, why)
        yield from _sub_path(mount, here)
        yield from _propagation(mount, container, path)


def _sub_path(mount: VolumeMount, path: str) -> Iterator[Cause]:
    if mount.subPath:
        yield from checks.descending(mount.subPath, f"{path}.subPath")
    if mount.subPathExpr:
        here = f"{path}.subPathExpr"
        if mount.subPath:
            why = "subPathExpr and subPath are mutually exclusive"
            yield faults.wrong(here, mount.subPathExpr, why)
        yield from checks.descending(mount.subPathExpr, here)


def _propagation(mount: VolumeMount, container: ContainerFields, path: str) -> Iterator[Cause]:
    if mount.mountPropagation is None:
        return
    # Upstream's path lacks the index here.
    here = f"{path}.mountPropagation"
    if mount.mountPropagation not in PROPAGATIONS:
        yield faults.unsupported(here, mount.mountPropagation, PROPAGATIONS)
    privileged = container.securityContext and container.securityContext.privileged
    if mount.mountPropagation == "Bidirectional" and not privileged:
        why = "Bidirectional mount propagation is available only to privileged containers"
        yield faults.forbidden(here, why)


def _devices(container: ContainerFields, about: Around, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, device in enumerate(container.volumeDevices):
        here = f"{path}[{index}]"
        yield from checks.required(device.name, f"{here}.name")
        if device.name and device.name not in about.volumes:
            yield faults.missing(f"{here}.name", device.name)
        yield from checks.required(device.devicePath, f"{here}.devicePath")
        if device.devicePath in seen:
            yield faults.wrong(f"{here}.devicePath", device.devicePath, "must be unique")
        seen.add(device.devicePath)
        yield from checks.no_backsteps(device.devicePath, f"{here}.devicePath")
