"""The scale sub-resource: one small view of everything that has replicas.

Source: kubernetes `pkg/registry/core/replicationcontroller/storage/storage.go`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.api import codec, errors, faults
from appliance.api.kind import Kind, T
from appliance.api.kinds.autoscaling.scale import Scale, ScaleSpec, ScaleStatus
from appliance.api.meta import ObjectMeta
from appliance.api.scaling import numbers_of
from appliance.client.base import PatchType, clone
from appliance.control.registry import metadata
from appliance.control.registry.applying import apply
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.encoding import key_of
from appliance.control.registry.parts import Parts
from appliance.control.registry.patching import patched
from appliance.control.registry.updating import Rewrite, rewrite

API_VERSION = "autoscaling/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The object whose scale is meant."""

    kind: Kind[Any]
    namespace: str
    name: str
    call: Call


def scale_of(kind: Kind[Any], stored: Stored[Any]) -> Stored[Scale]:
    """Show an object with spec.replicas as a Scale, at the same revision."""
    obj, meta = stored.obj, stored.obj.metadata
    numbers = numbers_of(kind, obj)
    scale = Scale(
        kind="Scale",
        apiVersion=API_VERSION,
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resourceVersion=meta.resourceVersion,
            creationTimestamp=meta.creationTimestamp,
        ),
        spec=ScaleSpec(replicas=numbers.wanted),
        status=ScaleStatus(replicas=numbers.seen, selector=numbers.selector),
    )
    return Stored(scale, codec.encode(scale), stored.revision)


async def update_scale(parts: Parts, target: Target, scale: Scale) -> Stored[Scale]:
    """Replace the scale, that is: set spec.replicas."""
    metadata.check_name(scale.metadata, target.name)
    return await _set(parts, target, lambda _old: scale)


async def patch_scale(parts: Parts, target: Target, how: PatchType, body: Any) -> Stored[Scale]:
    """Change the scale by a patch of the small view."""

    if how is PatchType.APPLY:
        return await _apply(parts, target, body)

    def change(old: Stored[Any]) -> Scale:
        plain = patched(Scale, codec.to_plain(scale_of(target.kind, old).obj), how, body)
        scale, _warnings = codec.decode(Scale, plain)
        return scale

    return await _set(parts, target, change)


async def _apply(parts: Parts, target: Target, body: Any) -> Stored[Scale]:
    """What the Scale states is stated of the object behind it."""
    stated, _warnings = codec.decode(Scale, body)
    _check(stated)
    kind = target.kind
    whole = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": target.name},
        "spec": {"replicas": stated.spec.replicas},
    }
    after, _created = await apply(
        parts,
        kind,
        whole,
        namespace=target.namespace,
        name=target.name,
        call=target.call,
        owned_through="scale",
    )
    return scale_of(kind, after)


async def _set(
    parts: Parts, target: Target, wanted_scale: Callable[[Stored[Any]], Scale]
) -> Stored[Scale]:
    kind = target.kind

    def change(old: Stored[T]) -> T:
        scale = wanted_scale(old)
        _check(scale)
        key = key_of(kind, target.namespace, target.name)
        metadata.check_precondition(kind, scale.metadata, old, key)
        new: Any = clone(old.obj)
        if kind.write_scale:
            kind.write_scale(new, scale.spec.replicas)
        else:
            new.spec.replicas = scale.spec.replicas
        return new  # type: ignore[no-any-return]

    wanted = Rewrite(
        kind=kind,
        namespace=target.namespace,
        name=target.name,
        change=change,
        call=target.call,
        owned_through="scale",
    )
    return scale_of(kind, await rewrite(parts, wanted))


def _check(scale: Scale) -> None:
    if scale.spec.replicas < 0:
        cause = faults.wrong(
            "spec.replicas", scale.spec.replicas, "must be greater than or equal to 0"
        )
        raise errors.invalid("Scale", "autoscaling", scale.metadata.name, [cause])
