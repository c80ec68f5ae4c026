"""What must hold for pods, pod specs and pod templates; the parts have rooms of their own.

`validate_pod` is for pods, `spec` and `template` for kinds that make pods.
Source: kubernetes `pkg/apis/core/validation/validation.go`.
"""

from collections.abc import Iterator, Mapping, Sequence

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.pod import validate_scheduling as scheduling
from appliance.api.kinds.core.pod.object import Pod
from appliance.api.kinds.core.pod.spec import (
    HostAlias,
    PodDNSConfig,
    PodSchedulingGate,
    PodSpec,
    PodTemplateSpec,
)
from appliance.api.kinds.core.pod.validate_containers import around, containers
from appliance.api.kinds.core.pod.validate_resources import resource_amount, resources
from appliance.api.kinds.core.pod.validate_security import pod_security
from appliance.api.kinds.core.pod.validate_volumes import volumes
from appliance.api.validate_meta import annotations, labels

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
NAMESERVERS_MAX = 3
SEARCHES_MAX = 32
SECCOMP_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_PROFILES = ("runtime/default", "docker/default", "unconfined")


def validate_pod(obj: Pod) -> list[Cause]:
    """Give every fault of a new pod."""
    found = [*_seccomp_annotation(obj.metadata.annotations, "metadata.annotations")]
    found += spec(obj.spec, "spec")
    if obj.spec.ephemeralContainers:
        found.append(faults.forbidden("spec.ephemeralContainers", "cannot be set on create"))
    return found


def template(found: PodTemplateSpec, path: str) -> Iterator[Cause]:
    """Check what pods are made from."""
    # Upstream's paths lack `metadata` here.
    yield from labels(found.metadata.labels, f"{path}.labels")
    yield from annotations(found.metadata.annotations, f"{path}.annotations")
    yield from _seccomp_annotation(found.metadata.annotations, f"{path}.annotations")
    yield from spec(found.spec, f"{path}.spec")
    if found.spec.ephemeralContainers:
        why = "ephemeral containers not allowed in pod template"
        yield faults.forbidden(f"{path}.spec.ephemeralContainers", why)


def spec(found: PodSpec, path: str) -> list[Cause]:
    """Give every fault of a pod spec."""
    problems, mountable = volumes(found.volumes, f"{path}.volumes")
    problems += containers(found, around(found, mountable), path)
    problems += _policies(found, path)
    problems += _names(found, path)
    problems += _placement(found, path)
    problems += _network(found, path)
    if found.securityContext:
        problems += pod_security(found.securityContext, f"{path}.securityContext")
    if found.resources:
        problems += resources(found.resources, f"{path}.resources")
    for name, amount in found.overhead.items():
        problems += resource_amount(name, amount, f"{path}.overhead[{name}]")
    return problems


def _seccomp_annotation(pairs: Mapping[str, str], path: str) -> Iterator[Cause]:
    profile = pairs.get(SECCOMP_ANNOTATION)
    if profile is None or profile in SECCOMP_PROFILES or profile.startswith("localhost/"):
        return
    yield faults.wrong(f"{path}.{SECCOMP_ANNOTATION}", profile, "must be a valid seccomp profile")


def _policies(found: PodSpec, path: str) -> Iterator[Cause]:
    yield from checks.one_of(found.restartPolicy, RESTART_POLICIES, f"{path}.restartPolicy")
    yield from checks.one_of(found.dnsPolicy, DNS_POLICIES, f"{path}.dnsPolicy")
    deadline_s = found.activeDeadlineSeconds
    yield from checks.between(deadline_s, 1, checks.INT32_MAX, f"{path}.activeDeadlineSeconds")
    preemption = found.preemptionPolicy
    if preemption is not None:
        allowed = ("Never", "PreemptLowerPriority")
        yield from checks.one_of(preemption, allowed, f"{path}.preemptionPolicy")
    if found.os:
        yield from checks.one_of(found.os.name, ("linux", "windows"), f"{path}.os.name")
    if found.shareProcessNamespace and found.hostPID:
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield faults.wrong(f"{path}.shareProcessNamespace", True, why)


def _names(found: PodSpec, path: str) -> Iterator[Cause]:
    whole = ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName")
    for name in whole:
        if value := getattr(found, name):
            yield from checks.named(names.dns_subdomain, value, f"{path}.{name}")
    for name in ("hostname", "subdomain"):
        if value := getattr(found, name):
            yield from checks.named(names.dns_label, value, f"{path}.{name}")
    if found.hostnameOverride is not None:
        here = f"{path}.hostnameOverride"
        yield from checks.named(names.dns_subdomain, found.hostnameOverride, here)
    if found.schedulerName:
        here = f"{path}.schedulerName"
        yield from checks.named(names.dns_subdomain, found.schedulerName, here)


def _placement(found: PodSpec, path: str) -> Iterator[Cause]:
    yield from labels(found.nodeSelector, f"{path}.nodeSelector")
    if found.affinity:
        yield from scheduling.affinity(found.affinity, f"{path}.affinity")
    yield from scheduling.tolerations(found.tolerations, f"{path}.tolerations")
    constraints = found.topologySpreadConstraints
    yield from scheduling.spread(constraints, f"{path}.topologySpreadConstraints")
    yield from _gates(found.schedulingGates, f"{path}.schedulingGates")
    for index, gate in enumerate(found.readinessGates):
        here = f"{path}.readinessGates[{index}].conditionType"
        yield from checks.named(names.qualified_name, gate.conditionType, here)


def _gates(gates: Sequence[PodSchedulingGate], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        yield from checks.named(names.qualified_name, gate.name, f"{path}[{index}]")
        if gate.name in seen:
            yield faults.duplicate(f"{path}[{index}]", gate.name)
        seen.add(gate.name)


def _network(found: PodSpec, path: str) -> Iterator[Cause]:
    here = f"{path}.dnsConfig"
    if found.dnsPolicy == "None" and found.dnsConfig is None:
        yield faults.required(here, "must provide `dnsConfig` when `dnsPolicy` is None")
    if found.dnsConfig:
        if found.dnsPolicy == "None":
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield from checks.required(found.dnsConfig.nameservers, f"{here}.nameservers", why)
        yield from _dns(found.dnsConfig, here)
    yield from _host_aliases(found.hostAliases, f"{path}.hostAliases")
    if found.hostNetwork:
        yield from _host_ports(found, path)


def _dns(config: PodDNSConfig, path: str) -> Iterator[Cause]:
    here = f"{path}.nameservers"
    if len(config.nameservers) > NAMESERVERS_MAX:
        why = f"must not have more than {NAMESERVERS_MAX} nameservers"
        yield faults.wrong(here, config.nameservers, why)
    for index, address in enumerate(config.nameservers):
        yield from checks.ip(address, f"{here}[{index}]")
    here = f"{path}.searches"
    if len(config.searches) > SEARCHES_MAX:
        why = f"must not have more than {SEARCHES_MAX} search paths"
        yield faults.wrong(here, config.searches, why)
    for index, domain in enumerate(config.searches):
        if domain != ".":
            bare = domain.removesuffix(".")
            yield from checks.named(names.dns_search_domain, bare, f"{here}[{index}]")
    for index, option in enumerate(config.options):
        yield from checks.required(option.name, f"{path}.options[{index}]", "must not be empty")


def _host_aliases(aliases: Sequence[HostAlias], path: str) -> Iterator[Cause]:
    for index, alias in enumerate(aliases):
        yield from checks.ip(alias.ip, f"{path}[{index}].ip")
        for at, name in enumerate(alias.hostnames):
            yield from checks.named(names.dns_subdomain, name, f"{path}[{index}].hostnames[{at}]")


def _host_ports(found: PodSpec, path: str) -> Iterator[Cause]:
    for at, container in enumerate(found.containers):
        for index, port in enumerate(container.ports):
            if port.hostPort != port.containerPort:
                here = f"{path}.containers[{at}].ports[{index}].hostPort"
                why = "must match `containerPort` when `hostNetwork` is true"
                yield faults.wrong(here, port.hostPort, why)
