"""StatefulSet: runs numbered pods that keep their names and their storage."""

from collections.abc import Iterator
from typing import Any

import msgspec

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks, workloads
from appliance.api.kinds.apps.statefulset_spec import (
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetStatus,
    StatefulSetUpdateStrategy,
)
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.persistentvolumeclaim import set_claim_defaults
from appliance.api.kinds.core.pod.defaults import set_spec_defaults
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.kinds.core.pod.volumes import PersistentVolumeClaimVolumeSource, Volume

__all__ = ["STATEFUL_SET", "StatefulSet"]

CHANGEABLE = (
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"),
    *("persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
)
_REVISIONS = 10


def _cells(obj: StatefulSet, now: float) -> list[Any]:
    return [
        obj.metadata.name,
        f"{obj.status.readyReplicas}/{obj.spec.replicas or 0}",
        age(obj, now),
        *workloads.containers_and_images(obj.spec.template),
    ]


def _set_defaults(obj: StatefulSet) -> None:
    spec = obj.spec
    spec.podManagementPolicy = spec.podManagementPolicy or "OrderedReady"
    spec.updateStrategy.type = spec.updateStrategy.type or "RollingUpdate"
    if spec.updateStrategy.type == "RollingUpdate":
        numbers = spec.updateStrategy.rollingUpdate or RollingUpdateStatefulSetStrategy()
        if numbers.partition is None:
            numbers.partition = 0
        spec.updateStrategy.rollingUpdate = numbers
    policy = (
        spec.persistentVolumeClaimRetentionPolicy
        or StatefulSetPersistentVolumeClaimRetentionPolicy()
    )
    policy.whenDeleted = policy.whenDeleted or "Retain"
    policy.whenScaled = policy.whenScaled or "Retain"
    spec.persistentVolumeClaimRetentionPolicy = policy
    if spec.replicas is None:
        spec.replicas = 1
    if spec.revisionHistoryLimit is None:
        spec.revisionHistoryLimit = _REVISIONS
    set_spec_defaults(spec.template.spec)
    for claim in spec.volumeClaimTemplates:
        claim.kind, claim.apiVersion = "PersistentVolumeClaim", "v1"
        set_claim_defaults(claim)


def _prepare_create(obj: StatefulSet) -> None:
    obj.status = StatefulSetStatus()


def _validate(obj: StatefulSet) -> list[Cause]:
    spec = obj.spec
    found = [
        *_management(spec.podManagementPolicy, "spec.podManagementPolicy"),
        *_strategy(spec.updateStrategy, "spec.updateStrategy"),
        *_retention(spec, "spec.persistentVolumeClaimRetentionPolicy"),
        *checks.not_negative(spec.replicas, "spec.replicas"),
        *checks.not_negative(spec.minReadySeconds, "spec.minReadySeconds"),
        *workloads.selector(spec.selector, "spec.selector", empty="statefulset"),
        *workloads.template(
            _with_claims(spec), "spec.template", selected_by=spec.selector, kind="StatefulSet"
        ),
    ]
    if spec.ordinals:
        found += checks.not_negative(spec.ordinals.start, "spec.ordinals.start")
    if spec.selector and workloads.selects(spec.selector, spec.template) is None:
        shown = f"Invalid value: {faults.show(spec.selector)}"
        found.append(Cause("FieldValueInvalid", shown, "spec.selector"))
    return found


def _with_claims(spec: StatefulSetSpec) -> PodTemplateSpec:
    """The template as pods are made from it: claims' templates are volumes of theirs."""
    claims = {claim.metadata.name for claim in spec.volumeClaimTemplates}
    if not claims:
        return spec.template
    within = spec.template.spec
    others = [volume for volume in within.volumes if volume.name not in claims]
    made = [
        Volume(name=name, persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=name))
        for name in sorted(claims)
    ]
    # behind the others: their places in the list are named in messages
    whole = msgspec.structs.replace(within, volumes=[*others, *made])
    return msgspec.structs.replace(spec.template, spec=whole)


def _management(policy: str, path: str) -> Iterator[Cause]:
    if not policy:
        yield faults.required(path)
    elif policy not in {"OrderedReady", "Parallel"}:
        yield faults.wrong(path, policy, "must be 'OrderedReady' or 'Parallel'")


def _strategy(found: StatefulSetUpdateStrategy, path: str) -> Iterator[Cause]:
    numbers, here = found.rollingUpdate, f"{path}.rollingUpdate"
    if not found.type:
        yield faults.required(path)
    elif found.type == "OnDelete":
        if numbers:
            why = "only allowed for updateStrategy 'RollingUpdate'"
            yield faults.wrong(here, workloads.shown(numbers), why)
    elif found.type != "RollingUpdate":
        why = "must be 'RollingUpdate' or 'OnDelete'"
        yield faults.wrong(path, workloads.shown(found), why)
    elif numbers:
        yield from checks.not_negative(numbers.partition, f"{here}.partition")
        if numbers.maxUnavailable is not None:
            yield from _missing(numbers.maxUnavailable, f"{here}.maxUnavailable")


def _missing(value: int | str, path: str) -> Iterator[Cause]:
    yield from workloads.count_or_percent(value, path)
    if not workloads.amount(value):
        yield faults.wrong(path, value, "cannot be 0")
    yield from workloads.at_most_all(value, path)


def _retention(spec: StatefulSetSpec, path: str) -> Iterator[Cause]:
    policy = spec.persistentVolumeClaimRetentionPolicy
    if policy is None:
        yield faults.required(path)
        return
    for name in ("whenDeleted", "whenScaled"):
        value = getattr(policy, name)
        if value not in {"Retain", "Delete"}:
            yield faults.unsupported(f"{path}.{name}", value, ("Retain", "Delete"))


def _validate_update(new: StatefulSet, old: StatefulSet) -> list[Cause]:
    kept = {name: getattr(old.spec, name) for name in CHANGEABLE}
    if msgspec.structs.replace(new.spec, **kept) == old.spec:
        return _validate(new)
    why = (
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template',"
        " 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy'"
        " and 'minReadySeconds' are forbidden"
    )
    return [*_validate(new), faults.forbidden("spec", why)]


def _validate_status(new: StatefulSet, old: StatefulSet) -> list[Cause]:
    status = new.status
    parts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    return [
        *workloads.counts(status, ("replicas", *parts, "observedGeneration")),
        *workloads.collisions(status.collisionCount, old.status.collisionCount),
        *workloads.not_above(status, parts, "replicas", "status.replicas"),
        *workloads.not_above(status, parts[3:], "readyReplicas", "status.readyReplicas"),
    ]


def _warn(obj: StatefulSet) -> list[str]:
    found = list(workloads.warn_template(obj.spec.template, "spec.template"))
    if (obj.spec.revisionHistoryLimit or 0) < 0:
        found.append(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions;"
            " a value >= 0 is recommended"
        )
    return found


STATEFUL_SET = Kind(
    group="apps",
    version="v1",
    kind="StatefulSet",
    plural="statefulsets",
    singular="statefulset",
    namespaced=True,
    type=StatefulSet,
    short_names=("sts",),
    categories=("all",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="StatefulSet"),
        Subresource(
            name="scale", verbs=("get", "patch", "update"), kind="Scale", group="autoscaling"
        ),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Ready"),
        Column("Age"),
        Column("Containers", wide=True),
        Column("Images", wide=True),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    validate_name=names.dns_label,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    warn=_warn,
)
