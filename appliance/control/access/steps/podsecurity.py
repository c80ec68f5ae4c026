"""Pod security: namespaces say by labels which pods they take, and which they only warn of.

    pod-security.kubernetes.io/enforce: baseline    pods that break it are refused
    pod-security.kubernetes.io/warn: restricted     who makes such pods, or what makes them, is told
    pod-security.kubernetes.io/audit: restricted    noted in the audit log

Levels are privileged (everything goes), baseline and restricted; a version may be named in
`…-version`, and is shown, but rules are always the newest. Without labels everything goes.
Source: k8s.io/pod-security-admission, KEP-2579.
"""

from collections.abc import Mapping
from typing import Any

from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.podsecurity import baseline, restricted
from appliance.api.podsecurity.words import Check
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup

PREFIX = "pod-security.kubernetes.io/"
LEVELS: Mapping[str, tuple[Check, ...]] = {
    "privileged": (),
    "baseline": baseline.CHECKS,
    "restricted": restricted.CHECKS,
}
_TEMPLATED = frozenset(
    (
        *("ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet"),
        *("Job", "CronJob", "PodTemplate"),
    )
)


class PodSecurity:
    """Refuses and warns."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.obj is None or attempt.subresource not in ("", "ephemeralcontainers"):
            return
        spec = _pod_spec(attempt)
        if spec is None or not attempt.namespace:
            return
        namespace = await self._lookup.find(NAMESPACE, "", attempt.namespace)
        labels = namespace.metadata.labels if namespace is not None else {}
        if not any(label.startswith(PREFIX) for label in labels):
            return
        if attempt.kind is POD and (broken := _broken(labels, "enforce", spec)):
            raise attempt.forbid(f"violates {broken}")
        if broken := _broken(labels, "warn", spec):
            text = f"would violate {broken}"
            if text not in attempt.call.warnings:
                attempt.call.warnings.append(text)
        if broken := _broken(labels, "audit", spec):
            attempt.call.notes[f"{PREFIX}audit-violations"] = f"would violate {broken}"


def _broken(labels: Mapping[str, str], mode: str, spec: PodSpec) -> str:
    """Name the level of a mode and what breaks it; nothing if all is well."""
    level = labels.get(f"{PREFIX}{mode}", "privileged")
    # a level that nobody knows is taken for the strictest, as upstream
    checks = LEVELS.get(level, restricted.CHECKS)
    failures = [failure.text() for check in checks for failure in check(spec)]
    if not failures:
        return ""
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    return f'PodSecurity "{level}:{version}": {", ".join(failures)}'


def _pod_spec(attempt: Attempt) -> PodSpec | None:
    """The pod, or the template of what makes pods; None where nothing about it is new."""
    spec: Any
    if attempt.kind is POD:
        spec = attempt.obj.spec
        before = attempt.old.spec if attempt.old is not None else None
    elif attempt.kind.kind in _TEMPLATED:
        spec = _template(attempt.obj)
        before = _template(attempt.old) if attempt.old is not None else None
    else:
        return None
    return None if spec is None or spec == before else spec


def _template(obj: Any) -> PodSpec | None:
    holder = getattr(obj, "spec", obj)
    job = getattr(holder, "jobTemplate", None)
    template = getattr(job.spec if job is not None else holder, "template", None)
    spec: PodSpec | None = template.spec if template is not None else None
    return spec
