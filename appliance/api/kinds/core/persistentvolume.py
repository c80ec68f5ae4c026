"""PersistentVolume: storage of the cluster that a claim can be bound to."""

import posixpath
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from appliance.api import faults, names, quantity
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.kinds.core import storage_words
from appliance.api.kinds.core.claim_rules import CLASS_ANNOTATION, quantity_of
from appliance.api.kinds.core.internal_form import difference
from appliance.api.kinds.core.pod.validate_scheduling import node_selector
from appliance.api.kinds.core.pod.volume_defaults import set_source_defaults
from appliance.api.kinds.core.references import NodeSelector, ObjectReference
from appliance.api.kinds.core.volume_sources import PersistentVolumeSource
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Inline, Message, Quantity, Time, always


class VolumeNodeAffinity(Message):
    """Nodes that can reach a volume."""

    required: Annotated[NodeSelector | None, F(1, "What such nodes must fulfil.")] = None


class PersistentVolumeSpec(PersistentVolumeSource):
    """What a volume is and how it may be used."""

    INLINE: ClassVar[Inline] = ((PersistentVolumeSource, 2),)
    capacity: Annotated[dict[str, Quantity], F(1, "How large it is.")] = {}
    accessModes: Annotated[
        list[str], F(3, "Ways in which it can be used.", list_type="atomic")
    ] = []
    claimRef: Annotated[
        ObjectReference | None, F(4, "The claim that it is bound to.", map_type="granular")
    ] = None
    persistentVolumeReclaimPolicy: Annotated[
        str, F(5, "What becomes of it when the claim goes: Retain, Delete or Recycle.")
    ] = ""
    storageClassName: Annotated[str, F(6, "Class that it is of; empty for none.")] = ""
    mountOptions: Annotated[list[str], F(7, "Options for mounting it.", list_type="atomic")] = []
    volumeMode: Annotated[str | None, F(8, "Filesystem or Block.")] = None
    nodeAffinity: Annotated[VolumeNodeAffinity | None, F(9, "Nodes that can reach it.")] = None
    volumeAttributesClassName: Annotated[
        str | None, F(10, "Class of attributes that can change later.")
    ] = None


class PersistentVolumeStatus(Message):
    """What became of a volume."""

    phase: Annotated[str, F(1, "Pending, Available, Bound, Released or Failed.")] = ""
    message: Annotated[str, F(2, "Why, for people.")] = ""
    reason: Annotated[str, F(3, "Why, as one CamelCase word.")] = ""
    lastPhaseTransitionTime: Annotated[Time | None, F(4, "When the phase last changed.")] = None


class PersistentVolume(KubeObject):
    """Storage of the cluster that a claim can be bound to."""

    spec: Annotated[PersistentVolumeSpec, F(2, "What is wanted.")] = always(PersistentVolumeSpec)
    status: Annotated[PersistentVolumeStatus, F(3, "What was seen last.")] = always(
        PersistentVolumeStatus
    )


RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
SOURCES = PersistentVolumeSource.__struct_fields__
OTHER_TYPE = "may not specify more than 1 volume type"


def _cells(obj: PersistentVolume, now: float) -> list[Any]:
    spec, claim = obj.spec, obj.spec.claimRef
    phase = "Terminating" if obj.metadata.deletionTimestamp else obj.status.phase
    attributes = spec.volumeAttributesClassName
    return [
        obj.metadata.name,
        spec.capacity.get("storage", "0"),
        storage_words.modes_cell(spec.accessModes),
        spec.persistentVolumeReclaimPolicy,
        phase,
        f"{claim.namespace}/{claim.name}" if claim else "",
        obj.metadata.annotations.get(CLASS_ANNOTATION) or spec.storageClassName,
        "<unset>" if attributes is None else attributes,
        obj.status.reason,
        age(obj, now),
        storage_words.volume_mode_cell(spec.volumeMode),
    ]


def _set_defaults(obj: PersistentVolume) -> None:
    spec = obj.spec
    obj.status.phase = obj.status.phase or "Pending"
    spec.persistentVolumeReclaimPolicy = spec.persistentVolumeReclaimPolicy or "Retain"
    if spec.volumeMode is None:
        spec.volumeMode = "Filesystem"
    for source in _sources(spec):
        set_source_defaults(source)


def _sources(spec: PersistentVolumeSpec) -> list[Any]:
    return [found for name in SOURCES if (found := getattr(spec, name)) is not None]


def _prepare_create(obj: PersistentVolume) -> None:
    created = obj.metadata.creationTimestamp
    obj.status = PersistentVolumeStatus(phase="Pending", lastPhaseTransitionTime=created)


def _validate(obj: PersistentVolume) -> list[Cause]:
    spec = obj.spec
    found = [*_capacity(spec, "spec.capacity"), *_modes(spec), *_source(spec, "spec")]
    policy, here = spec.persistentVolumeReclaimPolicy, "spec.persistentVolumeReclaimPolicy"
    if policy and policy not in RECLAIM_POLICIES:
        found.append(faults.unsupported(here, policy, RECLAIM_POLICIES))
    if policy == "Recycle" and spec.hostPath and posixpath.normpath(spec.hostPath.path) == "/":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(faults.forbidden(here, why))
    if spec.nodeAffinity:
        if spec.nodeAffinity.required is None:
            why = "must specify required node constraints"
            found.append(faults.required("spec.nodeAffinity.required", why))
        else:
            found += node_selector(spec.nodeAffinity.required, "spec.nodeAffinity.required")
    for name in ("storageClassName", "volumeAttributesClassName"):
        if value := getattr(spec, name):
            found += checks.named(names.dns_subdomain, value, f"spec.{name}")
    return [*found, *storage_words.volume_mode(spec.volumeMode, "spec.volumeMode")]


def _capacity(spec: PersistentVolumeSpec, path: str) -> Iterator[Cause]:
    if not spec.capacity:
        yield faults.required(path)
    if set(spec.capacity) != {"storage"}:
        yield faults.unsupported(path, spec.capacity or None, ("storage",))
    for name, amount in spec.capacity.items():
        yield from quantity_of(name, amount, f"{path}[{name}]")
        if quantity.read(amount).value == 0:
            yield faults.wrong(f"{path}[{name}]", str(amount), "must be greater than zero")


def _modes(spec: PersistentVolumeSpec) -> Iterator[Cause]:
    if not spec.accessModes:
        yield faults.required("spec.accessModes")
        return
    yield from storage_words.access_modes(spec.accessModes, "spec.accessModes")


def _source(spec: PersistentVolumeSpec, path: str) -> Iterator[Cause]:
    given = [name for name in SOURCES if getattr(spec, name) is not None]
    if not given:
        yield faults.required(path, "must specify a volume type")
    for name in given[1:]:
        yield faults.forbidden(f"{path}.{name}", OTHER_TYPE)
    if spec.hostPath:
        here = f"{path}.hostPath.path"
        yield from checks.required(spec.hostPath.path, here)
        yield from checks.no_backsteps(spec.hostPath.path, here)
    if spec.local:
        yield from checks.required(spec.local.path, f"{path}.local.path")
        yield from checks.no_backsteps(spec.local.path, f"{path}.local.path")
        if spec.nodeAffinity is None:
            yield faults.required(f"{path}.nodeAffinity", "Local volume requires node affinity")
    if spec.nfs:
        yield from checks.required(spec.nfs.server, f"{path}.nfs.server")
        yield from checks.required(spec.nfs.path, f"{path}.nfs.path")
        yield from checks.absolute(spec.nfs.path, f"{path}.nfs.path")
    if spec.csi:
        yield from checks.required(spec.csi.driver, f"{path}.csi.driver")
        yield from checks.required(spec.csi.volumeHandle, f"{path}.csi.volumeHandle")


def _validate_update(new: PersistentVolume, old: PersistentVolume) -> list[Cause]:
    found = _validate(new)
    before, after = (_only_source(each.spec) for each in (old, new))
    if after != before:
        why = "spec.persistentvolumesource is immutable after creation"
        shown = f"{why}\n{difference(before, after)}"
        found.append(faults.forbidden("spec.persistentvolumesource", shown))
    found += checks.same(new.spec.volumeMode, old.spec.volumeMode, "spec.volumeMode")
    if old.spec.nodeAffinity and new.spec.nodeAffinity != old.spec.nodeAffinity:
        why = "field is immutable, except for updating from beta label to GA"
        found.append(faults.wrong("spec.nodeAffinity", new.spec.nodeAffinity, why))
    return found


def _only_source(spec: PersistentVolumeSpec) -> PersistentVolumeSource:
    return PersistentVolumeSource(**{name: getattr(spec, name) for name in SOURCES})


PERSISTENT_VOLUME = Kind(
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    singular="persistentvolume",
    namespaced=False,
    type=PersistentVolume,
    short_names=("pv",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="PersistentVolume"),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Capacity"),
        Column("Access Modes"),
        Column("Reclaim Policy"),
        Column("Status"),
        Column("Claim"),
        Column("StorageClass"),
        Column("VolumeAttributesClass"),
        Column("Reason"),
        Column("Age"),
        Column("VolumeMode", wide=True),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
    repeats_meta_faults=False,
)
