"""What an object uses of a quota, and which quotas it counts for. Pure.

Asked by admission, which charges new objects, and by the quota controller, which counts anew.
Source: kubernetes `pkg/quota/v1/evaluator/core`.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from appliance.api import podamounts, quantity
from appliance.api.errors import qualified
from appliance.api.kind import Kind
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.affinity import PodAffinityTerm
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.qos import qos_class
from appliance.api.kinds.core.resourcequota import ResourceQuotaSpec
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.podamounts import Amounts
from appliance.api.quantity import Amount

ONE = Amount(Fraction(1))
_COUNTED = frozenset(
    (
        *("pods", "services", "replicationcontrollers", "resourcequotas", "secrets"),
        *("configmaps", "persistentvolumeclaims"),
    )
)
"""Core kinds that are also counted under their plain names."""
_PLAIN = ("cpu", "memory", "ephemeral-storage")
"""Resources whose requests are also counted under their plain names."""
_NEEDED = frozenset(
    ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
)
_FINISHED = frozenset(("Succeeded", "Failed"))


def usage_of(kind: Kind[Any], obj: Any) -> Amounts:
    """What an object uses, under every name that a quota may have for it."""
    used = {f"count/{qualified(kind.plural, kind.group)}": ONE}
    if kind is POD:
        return used | _of_pod(obj)
    if not kind.group and kind.plural in _COUNTED:
        used[kind.plural] = ONE
    if kind is SERVICE:
        used |= _of_service(obj)
    elif kind is PERSISTENT_VOLUME_CLAIM:
        used |= _of_claim(obj)
    return used


def _of_pod(pod: Pod) -> Amounts:
    if pod.status.phase in _FINISHED:
        return {}  # it stands there still, but holds nothing
    used = {"pods": ONE}
    for name, amount in podamounts.requests(pod.spec).items():
        used[f"requests.{name}"] = amount
        if name in _PLAIN or name.startswith("hugepages-"):
            used[name] = amount
    for name, amount in podamounts.limits(pod.spec).items():
        used[f"limits.{name}"] = amount
    return used


def _of_service(service: Service) -> Amounts:
    spec = service.spec
    used: Amounts = {}
    if spec.type == "LoadBalancer":
        used["services.loadbalancers"] = ONE
    with_ports = spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocateLoadBalancerNodePorts is not False
    )
    if with_ports:
        used["services.nodeports"] = Amount(Fraction(len(spec.ports)))
    return used


def _of_claim(claim: PersistentVolumeClaim) -> Amounts:
    used: Amounts = {}
    asked = podamounts.read(claim.spec.resources.requests).get("storage")
    if asked is not None:
        used["requests.storage"] = asked
    if claim.spec.storageClassName:
        of_class = f"{claim.spec.storageClassName}.storageclass.storage.k8s.io/"
        used[f"{of_class}persistentvolumeclaims"] = ONE
        if asked is not None:
            used[f"{of_class}requests.storage"] = asked
    return used


def counts_for(spec: ResourceQuotaSpec, kind: Kind[Any], obj: Any) -> bool:
    """Whether a quota is about this object; one with scopes is about pods only."""
    selector = spec.scopeSelector.matchExpressions if spec.scopeSelector is not None else ()
    wanted: list[tuple[str, str, tuple[str, ...]]]
    wanted = [(scope, "Exists", ()) for scope in spec.scopes or ()]
    wanted += [(s.scopeName, s.operator, tuple(s.values)) for s in selector or ()]
    if not wanted:
        return True
    return kind is POD and all(_in_scope(obj, *scope) for scope in wanted)


def _in_scope(pod: Pod, scope: str, operator: str, values: Sequence[str]) -> bool:
    if scope == "PriorityClass":
        name = pod.spec.priorityClassName
        if operator in {"In", "NotIn"}:
            return (name in values) == (operator == "In")
        return bool(name) == (operator != "DoesNotExist")
    terminating = pod.spec.activeDeadlineSeconds is not None
    best_effort = qos_class(pod.spec) == "BestEffort"
    found = {
        "Terminating": terminating,
        "NotTerminating": not terminating,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
        "CrossNamespacePodAffinity": any(t.namespaces or t.namespaceSelector for t in _terms(pod)),
    }
    return found.get(scope, False)


def _terms(pod: Pod) -> Iterable[PodAffinityTerm]:
    affinity = pod.spec.affinity
    for half in (affinity.podAffinity, affinity.podAntiAffinity) if affinity is not None else ():
        if half is not None:
            yield from half.requiredDuringSchedulingIgnoredDuringExecution
            for preferred in half.preferredDuringSchedulingIgnoredDuringExecution:
                yield preferred.podAffinityTerm


def unsaid(hard: Iterable[str], pod: Pod) -> str:
    """Name the containers that do not say what a quota bounds; nothing if all do."""
    missing = []
    for resource in sorted(_NEEDED & set(hard)):
        part, _, name = resource.rpartition(".")
        silent = [
            c.name
            for c in (*(pod.spec.containers or ()), *pod.spec.initContainers)
            if name not in (c.resources.limits if part == "limits" else c.resources.requests)
        ]
        if silent:
            missing.append(f"{resource} for: {','.join(silent)}")
    return "; ".join(missing)


def only(amounts: Mapping[str, Amount], names: Iterable[str]) -> Amounts:
    """Amounts of these names, in their order; zero where there is none."""
    return {name: amounts.get(name, quantity.ZERO) for name in names}
