"""What a claim gets where the user said nothing, and what must hold for it.

Called through the kinds of claims and of stateful sets.
Source: kubernetes `pkg/apis/core/validation` (ValidatePersistentVolumeClaim*).
"""

from collections.abc import Iterator, Mapping

import msgspec

from appliance.api import faults, names, quantity
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core import storage_words
from appliance.api.kinds.core.claim_spec import PersistentVolumeClaimSpec
from appliance.api.kinds.core.internal_form import difference
from appliance.api.kinds.core.references import TypedLocalObjectReference, TypedObjectReference

FIXED = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName"
    " for bound claims"
)
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def set_defaults(spec: PersistentVolumeClaimSpec) -> None:
    """A volume is a file system unless said otherwise."""
    if spec.volumeMode is None:
        spec.volumeMode = "Filesystem"


def join_sources(spec: PersistentVolumeClaimSpec) -> None:
    """The two names of what fills a volume say the same; who writes one writes both."""
    if spec.dataSource and not _fills(spec.dataSource):
        spec.dataSource = None
    one, other = spec.dataSource, spec.dataSourceRef
    if one and not other:
        spec.dataSourceRef = TypedObjectReference(
            apiGroup=one.apiGroup, kind=one.kind, name=one.name
        )
    elif other and not one and not other.namespace:
        spec.dataSource = TypedLocalObjectReference(
            apiGroup=other.apiGroup, kind=other.kind, name=other.name
        )


def _fills(source: TypedLocalObjectReference) -> bool:
    """Whether the older name may point there; anything else is dropped, as upstream does."""
    return (source.apiGroup or "", source.kind) in {
        ("", "PersistentVolumeClaim"),
        ("snapshot.storage.k8s.io", "VolumeSnapshot"),
    }


def validate(spec: PersistentVolumeClaimSpec, path: str) -> Iterator[Cause]:
    """Check what a claim wants."""
    yield from storage_words.access_modes(spec.accessModes, f"{path}.accessModes")
    yield from checks.selector(spec.selector, f"{path}.selector")
    wanted, here = spec.resources.requests.get("storage"), f"{path}.resources[storage]"
    if wanted is None:
        yield faults.required(here)
    else:
        yield from quantity_of("storage", wanted, here)
        if quantity.read(wanted).value <= 0:
            yield faults.wrong(here, wanted, "must be greater than zero")
    if spec.storageClassName:
        yield from checks.named(
            names.dns_subdomain, spec.storageClassName, f"{path}.storageClassName"
        )
    yield from storage_words.volume_mode(spec.volumeMode, f"{path}.volumeMode")
    for name in ("dataSource", "dataSourceRef"):
        yield from _source(getattr(spec, name), f"{path}.{name}")
    if spec.volumeAttributesClassName:
        here = f"{path}.volumeAttributesClassName"
        yield from checks.named(names.dns_subdomain, spec.volumeAttributesClassName, here)


def _source(
    found: TypedLocalObjectReference | TypedObjectReference | None, path: str
) -> Iterator[Cause]:
    if found is None:
        return
    yield from checks.required(found.name, f"{path}.name")
    yield from checks.required(found.kind, f"{path}.kind")
    if not found.apiGroup and found.kind and found.kind != "PersistentVolumeClaim":
        why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        yield faults.wrong(path, found.kind, why)


def quantity_of(name: str, amount: str | float, path: str) -> Iterator[Cause]:
    """Refuse amounts below zero, and names that are none."""
    if quantity.read(amount).value < 0:
        yield faults.wrong(path, str(amount), checks.NOT_NEGATIVE)
    if "/" in name:
        yield from checks.named(names.qualified_name, name, path)


def validate_update(
    new: PersistentVolumeClaimSpec, old: PersistentVolumeClaimSpec, *, is_bound: bool
) -> Iterator[Cause]:
    """A claim cannot change, but for its size once it is bound, and its volume before."""
    before, after = quantity_text(old), quantity_text(new)
    like_old = msgspec.structs.replace(new, volumeAttributesClassName=old.volumeAttributesClassName)
    if not old.volumeName:
        like_old = msgspec.structs.replace(like_old, volumeName=old.volumeName)
    if is_bound:
        like_old = msgspec.structs.replace(like_old, resources=old.resources)
    if old.storageClassName is None:
        like_old = msgspec.structs.replace(like_old, storageClassName=None)
    if like_old != old:
        yield faults.forbidden("spec", f"{FIXED}\n{difference(old, like_old)}")
    elif is_bound and quantity.read(after).value < quantity.read(before).value:
        why = "field can not be less than status.capacity"
        yield faults.forbidden("spec.resources.requests.storage", why)


def quantity_text(spec: PersistentVolumeClaimSpec) -> str:
    """The size that is asked for."""
    return str(spec.resources.requests.get("storage", "0"))


def warn(spec: PersistentVolumeClaimSpec, annotations: Mapping[str, str]) -> Iterator[str]:
    """Name what the author of a claim should look at again."""
    if CLASS_ANNOTATION in annotations:
        yield (
            f"metadata.annotations[{CLASS_ANNOTATION}]: deprecated since v1.8;"
            ' use "storageClassName" attribute instead'
        )
    for side in ("limits", "requests"):
        amount = getattr(spec.resources, side).get("storage")
        if amount is not None and quantity.read(amount).value.denominator != 1:
            yield (
                f"spec.resources.{side}[storage]: fractional byte value"
                f' "{amount}" is invalid, must be an integer'
            )
