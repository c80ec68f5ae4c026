"""What must hold for the metadata of every kind.

The registry calls `validate_meta` before it stores a new object and `validate_meta_update` before
it replaces one (after it has carried over what a writer need not repeat: uid, creationTimestamp,
deletionTimestamp). Source: apimachinery `api/validation/objectmeta.go`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Kind
from appliance.api.meta import KubeObject, ObjectMeta, OwnerReference

ANNOTATIONS_SIZE_BYTES = 256 * 1024
"""All keys and values together: they are read and written with every change of the object."""

STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
IMMUTABLE = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
FIXED = "field is immutable"


def validate_meta(obj: KubeObject, kind: Kind[Any]) -> list[Cause]:
    """Give every fault in the metadata of a new object."""
    meta = obj.metadata
    return [
        *_names(meta, kind),
        *_namespace(meta, kind),
        *_finalizers(meta),
        *_common(meta),
    ]


def validate_meta_update(new: KubeObject, old: KubeObject, kind: Kind[Any]) -> list[Cause]:
    """Give every fault in the metadata of an object that is to replace another."""
    once = [*_new_finalizers(new.metadata, old.metadata), *_unchanged(new.metadata, old.metadata)]
    once += _common(new.metadata)
    return once * 2 if kind.repeats_meta_faults else once


def labels(pairs: Mapping[str, str], path: str) -> Iterator[Cause]:
    """Check keys and values of labels, or of a selector that is a map."""
    for key, value in pairs.items():
        yield from label_key(key, path)
        for fault in names.label_value(value):
            yield faults.wrong(path, value, fault)


def label_key(key: str, path: str) -> Iterator[Cause]:
    """Check the key of a label, a taint or a toleration."""
    for fault in names.qualified_name(key):
        yield faults.wrong(path, key, fault)


def annotations(pairs: Mapping[str, str], path: str) -> Iterator[Cause]:
    """Check keys and the total size of annotations."""
    for key in pairs:
        for fault in names.qualified_name(key.lower()):
            yield faults.wrong(path, key, fault)
    if sum(len(k.encode()) + len(v.encode()) for k, v in pairs.items()) > ANNOTATIONS_SIZE_BYTES:
        yield faults.too_long(path, ANNOTATIONS_SIZE_BYTES)


def _common(meta: ObjectMeta) -> Iterator[Cause]:
    yield from labels(meta.labels, "metadata.labels")
    yield from annotations(meta.annotations, "metadata.annotations")
    yield from _owners(meta.ownerReferences, "metadata.ownerReferences")


def _names(meta: ObjectMeta, kind: Kind[Any]) -> Iterator[Cause]:
    if meta.generateName:
        # What will be appended is a letter or a digit, so a dash may stand before it.
        stem = meta.generateName
        whole = stem[:-1] + "a" if stem.endswith("-") and len(stem) > 1 else stem
        for fault in kind.validate_name(whole):
            yield faults.wrong("metadata.generateName", stem, fault)
    if not meta.name:
        yield faults.required("metadata.name", "name or generateName is required")
        return
    for fault in kind.validate_name(meta.name):
        yield faults.wrong("metadata.name", meta.name, fault)


def _namespace(meta: ObjectMeta, kind: Kind[Any]) -> Iterator[Cause]:
    if not kind.namespaced:
        if meta.namespace:
            yield faults.forbidden("metadata.namespace", "not allowed on this type")
    elif not meta.namespace:
        yield faults.required("metadata.namespace")
    else:
        for fault in names.dns_label(meta.namespace):
            yield faults.wrong("metadata.namespace", meta.namespace, fault)


def _finalizers(meta: ObjectMeta) -> Iterator[Cause]:
    for index, name in enumerate(meta.finalizers):
        for fault in names.qualified_name(name):
            yield faults.wrong("metadata.finalizers", name, fault)
        if "/" not in name and name not in STANDARD_FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield faults.wrong(f"metadata.finalizers[{index}]", name, why)
    if {"orphan", "foregroundDeletion"} <= set(meta.finalizers):
        why = "finalizer orphan and foregroundDeletion cannot be both set"
        yield faults.wrong("metadata.finalizers", meta.finalizers, why)


def _owners(owners: list[OwnerReference], path: str) -> Iterator[Cause]:
    controller = ""
    for owner in owners:
        yield from _owner(owner, path)
        if not owner.controller:
            continue
        if controller:
            why = (
                "Only one reference can have Controller set to true. Found"
                f' "true" in references for {controller} and {owner.kind}/{owner.name}'
            )
            yield faults.wrong(path, owners, why)
        controller = f"{owner.kind}/{owner.name}"


def _owner(owner: OwnerReference, path: str) -> Iterator[Cause]:
    group, _, version = owner.apiVersion.rpartition("/")
    if not version:
        yield faults.wrong(f"{path}.apiVersion", owner.apiVersion, "version must not be empty")
    for name in ("kind", "name", "uid"):
        if not getattr(owner, name):
            yield faults.wrong(f"{path}.{name}", "", "must not be empty")
    if owner.kind == "Event" and group in {"", "events.k8s.io"}:
        gvk = f"{group}/{version}, Kind={owner.kind}"
        yield faults.wrong(path, owner, f"{gvk} is disallowed from being an owner")


def _new_finalizers(new: ObjectMeta, old: ObjectMeta) -> Iterator[Cause]:
    if not old.deletionTimestamp:
        return
    extra = [f for f in new.finalizers if f not in old.finalizers]
    if extra:
        listed = ", ".join(faults.quoted(f) for f in sorted(extra))
        why = (
            "no new finalizers can be added if the object is being deleted,"
            f" found new finalizers []string{{{listed}}}"
        )
        yield faults.forbidden("metadata.finalizers", why)


def _unchanged(new: ObjectMeta, old: ObjectMeta) -> Iterator[Cause]:
    if new.generation < old.generation:
        yield faults.wrong("metadata.generation", new.generation, "must not be decremented")
    for name in IMMUTABLE:
        if getattr(new, name) != getattr(old, name):
            yield faults.wrong(f"metadata.{name}", getattr(new, name), FIXED)
