"""Environment variables of containers, and the sources that volumes share with them.

Called by the validation of containers and volumes.
"""

from collections.abc import Iterator, Sequence

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.pod.container import EnvFromSource, EnvVar, EnvVarSource
from appliance.api.kinds.core.references import (
    ConfigMapKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_READABLE = (
    *ENV_FIELDS,
    "metadata.annotations",
    "metadata.labels",
    "spec.host",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
)
"""Fields that a reference may name at all; each use allows some of them."""

RESOURCES = tuple(
    f"{side}.{name}"
    for side in ("limits", "requests")
    for name in ("cpu", "ephemeral-storage", "memory")
)
_ONE_ENV_SOURCE = (
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or"
    " `fileKeyRef`"
)
_ONLY_ONE = "may not have more than one field specified at a time"


def env(variables: Sequence[EnvVar], path: str) -> Iterator[Cause]:
    """Check `env` of a container."""
    for index, variable in enumerate(variables):
        here = f"{path}[{index}]"
        if variable.name:
            yield from checks.named(names.relaxed_env_var_name, variable.name, f"{here}.name")
        else:
            yield faults.required(f"{here}.name")
        if variable.valueFrom:
            yield from _source(variable, variable.valueFrom, f"{here}.valueFrom")


def _source(variable: EnvVar, source: EnvVarSource, path: str) -> Iterator[Cause]:
    if source.fieldRef:
        yield from field_ref(source.fieldRef, ENV_FIELDS, f"{path}.fieldRef")
    if source.resourceFieldRef:
        yield from resource_ref(source.resourceFieldRef, f"{path}.resourceFieldRef")
    if source.configMapKeyRef:
        yield from _key_ref(source.configMapKeyRef, f"{path}.configMapKeyRef")
    if source.secretKeyRef:
        yield from _key_ref(source.secretKeyRef, f"{path}.secretKeyRef")
    if source.fileKeyRef:
        for name in ("volumeName", "path", "key"):
            value = getattr(source.fileKeyRef, name)
            yield from checks.required(value, f"{path}.fileKeyRef.{name}")
    count = sum(getattr(source, name) is not None for name in source.__struct_fields__)
    if not count:
        yield faults.wrong(path, "", _ONE_ENV_SOURCE)
    elif variable.value:
        yield faults.wrong(path, "", "may not be specified when `value` is not empty")
    elif count > 1:
        yield faults.wrong(path, "", _ONLY_ONE)


def env_from(sources: Sequence[EnvFromSource], path: str) -> Iterator[Cause]:
    """Check `envFrom` of a container."""
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        if source.prefix:
            yield from checks.named(names.relaxed_env_var_name, source.prefix, f"{here}.prefix")
        if source.configMapRef:
            yield from checks.required(source.configMapRef.name, f"{here}.configMapRef.name")
        if source.secretRef:
            yield from checks.required(source.secretRef.name, f"{here}.secretRef.name")
        if not (source.configMapRef or source.secretRef):
            # Upstream's path is that of the list here.
            yield faults.wrong(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif source.configMapRef and source.secretRef:
            yield faults.wrong(path, "", _ONLY_ONE)


def _key_ref(ref: ConfigMapKeySelector | SecretKeySelector, path: str) -> Iterator[Cause]:
    yield from checks.required(ref.name, f"{path}.name")
    if ref.key:
        yield from checks.named(names.config_key, ref.key, f"{path}.key")
    else:
        yield faults.required(f"{path}.key")


def field_ref(ref: ObjectFieldSelector, allowed: Sequence[str], path: str) -> Iterator[Cause]:
    """Check a reference to a field of the pod; `metadata.labels['key']` names one entry."""
    yield from checks.required(ref.apiVersion, f"{path}.apiVersion")
    here = f"{path}.fieldPath"
    if not ref.fieldPath:
        yield faults.required(here)
        return
    if ref.apiVersion and ref.apiVersion != "v1":
        why = f"error converting fieldPath: unsupported pod version: {ref.apiVersion}"
        yield faults.wrong(here, ref.fieldPath, why)
        return
    field, key = split_subscript(ref.fieldPath)
    if key is not None and field in {"metadata.labels", "metadata.annotations"}:
        yield from checks.named(names.qualified_name, _folded(field, key), here)
    elif key is not None or field not in _READABLE:
        why = f"error converting fieldPath: field label not supported: {ref.fieldPath}"
        yield faults.wrong(here, ref.fieldPath, why)
    elif field not in allowed and field != "spec.host":
        yield faults.unsupported(here, field, tuple(sorted(allowed)))


def split_subscript(field: str) -> tuple[str, str | None]:
    """`metadata.labels['a']` becomes (`metadata.labels`, `a`)."""
    if not field.endswith("']"):
        return field, None
    base, bracket, key = field.removesuffix("']").partition("['")
    return (base, key) if bracket and base else (field, None)


def _folded(field: str, key: str) -> str:
    return key.lower() if field == "metadata.annotations" else key


def resource_ref(
    ref: ResourceFieldSelector, path: str, *, container_needed: bool = False
) -> Iterator[Cause]:
    """Check a reference to a container's request or limit."""
    if container_needed and not ref.containerName:
        yield faults.required(f"{path}.containerName")
    elif not ref.resource:
        yield faults.required(f"{path}.resource")
    elif ref.resource not in RESOURCES and not ref.resource.startswith(
        ("limits.hugepages-", "requests.hugepages-")
    ):
        yield faults.unsupported(f"{path}.resource", ref.resource, RESOURCES)
