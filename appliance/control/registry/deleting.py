"""DELETE: preconditions, grace, finalizers, then the end.

A worked example, a pod on a node with 30 s of grace:

    DELETE                     stays, deletionTimestamp = now + 30 s, generation + 1
    DELETE grace 5             stays, only shorter: deletionTimestamp = now + 5 s
    DELETE grace 0 (kubelet)   gone; with finalizers it stays until these are removed

Source: apiserver `pkg/registry/rest/delete.go`, `pkg/registry/generic/registry/store.go`.
"""

from typing import Any

from appliance.api import errors, faults
from appliance.api.errors import Cause
from appliance.api.kind import Kind, T
from appliance.api.kinds.apiextensions.definition import CUSTOM_RESOURCE_DEFINITION
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.meta import DeleteOptions, ObjectMeta
from appliance.client.base import clone
from appliance.control.access.admission import admit
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.creating import unstored, warn
from appliance.control.registry.encoding import at_revision
from appliance.control.registry.listing import refuse_options
from appliance.control.registry.parts import Parts
from appliance.control.registry.storage import Moved
from appliance.control.registry.strategy import LEAST_GRACE_S, Strategy
from appliance.kit.clock import parse_rfc3339, rfc3339

ORPHAN, FOREGROUND, BACKGROUND = "Orphan", "Foreground", "Background"
ORPHAN_FINALIZER, FOREGROUND_FINALIZER = "orphan", "foregroundDeletion"

_TRIES = 20
"""A delete goes through whatever others write meanwhile; the bound only stops a madhouse."""


async def delete(
    parts: Parts,
    kind: Kind[T],
    *,
    namespace: str,
    name: str,
    options: DeleteOptions,
    call: Call,
) -> tuple[Stored[T], bool]:
    """Delete one object; False where it only waits for its end.

    Raises:
        NotFound, Forbidden, Conflict, Invalid: see `registry.base`.
    """
    check_options(options)
    if options.propagationPolicy is None and options.orphanDependents is None:
        warn(call, [text] if (text := parts.strategy(kind).delete_warning) else [])
    old = await parts.storage.get(kind, namespace, name)
    if old is None:
        raise errors.not_found(kind.plural, kind.group, name)
    attempt = Attempt(
        verb="delete", kind=kind, namespace=namespace, name=name, obj=None, old=old.obj, call=call
    )
    await admit(parts.admission, attempt)
    for _ in range(_TRIES):
        if old is None:
            raise errors.not_found(kind.plural, kind.group, name)
        _check_preconditions(kind, old, options)
        try:
            return await _step(parts, kind, old, options=options, call=call)
        except Moved as moved:
            old = moved.now
    raise errors.conflict(kind.plural, kind.group, name, errors.STALE)


def check_options(options: DeleteOptions) -> None:
    """Refuse options that contradict each other.

    Raises:
        Invalid: naming the option.
    """
    causes: list[Cause] = []
    policy = options.propagationPolicy
    if policy is not None and options.orphanDependents is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(faults.wrong("propagationPolicy", policy, why))
    elif policy not in (None, FOREGROUND, BACKGROUND, ORPHAN):
        listed = ", ".join(f'"{p}"' for p in (FOREGROUND, BACKGROUND, ORPHAN, "nil"))
        message = f"Unsupported value: {faults.show(policy)}: supported values: {listed}"
        causes.append(Cause("FieldValueNotSupported", message, "propagationPolicy"))
    refuse_options(causes, "DeleteOptions")


def _check_preconditions(kind: Kind[Any], old: Stored[Any], options: DeleteOptions) -> None:
    wanted = options.preconditions
    if wanted is None:
        return
    meta = old.obj.metadata
    for label, want, have, happened in (
        ("UID", wanted.uid, meta.uid, "deleted and then recreated"),
        ("ResourceVersion", wanted.resourceVersion, meta.resourceVersion, "modified"),
    ):
        if want is None or want == have:
            continue
        # upstream checks these in storage, in other words
        if kind in (NAMESPACE, CUSTOM_RESOURCE_DEFINITION):
            why = (
                f"Precondition failed: {label} in precondition: {want}, "
                f"{label} in object meta: {have}"
            )
            raise errors.conflict(kind.plural, kind.group, meta.name, why)
        why = (
            f"the {label} in the precondition ({want}) does not match the {label} in record "
            f"({have}). The object might have been {happened}"
        )
        raise errors.conflict(kind.kind, kind.group, meta.name, why)


async def _step(
    parts: Parts, kind: Kind[T], old: Stored[T], *, options: DeleteOptions, call: Call
) -> tuple[Stored[T], bool]:
    """Go one step nearer to the end, from one state of the object."""
    strategy = parts.strategy(kind)
    new = clone(old.obj)
    if not _mark(new, strategy, options, now=parts.clock.wall()):
        return old, False
    if not new.metadata.finalizers and strategy.is_finished(new):
        if call.dry_run:
            return (unstored(kind, new, old.revision) if strategy.is_graceful else old), True
        async with strategy.turn():
            if strategy.is_graceful and new != old.obj:
                # watchers learn that there was no grace before they learn that it is gone
                old = await parts.storage.replace(kind, old, new, call.user.name)
            revision = await parts.storage.remove(kind, old, call.user.name)
        return at_revision(old, revision), True
    if new == old.obj:
        return old, False
    if call.dry_run:
        return unstored(kind, new, old.revision), False
    return await parts.storage.replace(kind, old, new, call.user.name), False


def _mark(obj: Any, strategy: Strategy, options: DeleteOptions, *, now: float) -> bool:
    """Note when it will be gone, and who must act before; False where all that is settled."""
    meta: ObjectMeta = obj.metadata
    if meta.deletionTimestamp is None:
        grace = strategy.grace_s(obj, options) if strategy.is_graceful else 0
        meta.deletionTimestamp = rfc3339(now + grace)
        meta.deletionGracePeriodSeconds = grace
        if meta.generation:
            meta.generation += 1
        strategy.begin_delete(obj)
    elif strategy.is_graceful and not _shorten(meta, meta.deletionTimestamp, options):
        # settled, unless we stopped between noting the end and carrying it out
        return not meta.finalizers and strategy.is_finished(obj)
    meta.finalizers = _finalizers(meta.finalizers, strategy, options)
    return True


def _shorten(meta: ObjectMeta, due: str, options: DeleteOptions) -> bool:
    """Shorten a grace that runs already; it can't be made longer. True if that changed it."""
    grace, wanted = meta.deletionGracePeriodSeconds, options.gracePeriodSeconds
    if grace is None or wanted is None:
        return False
    wanted = wanted if wanted >= 0 else LEAST_GRACE_S
    if wanted >= grace:
        return False
    meta.deletionTimestamp = rfc3339(parse_rfc3339(due) - grace + wanted)
    meta.deletionGracePeriodSeconds = wanted
    return True


def _finalizers(present: list[str], strategy: Strategy, options: DeleteOptions) -> list[str]:
    """The collector's finalizers as the policy wants them, behind all others."""
    wanted = _policy_finalizer(present, strategy, options)
    kept = [f for f in present if f not in (ORPHAN_FINALIZER, FOREGROUND_FINALIZER)]
    if wanted is None:
        return kept
    return present if wanted in present else [*kept, wanted]


def _policy_finalizer(present: list[str], strategy: Strategy, options: DeleteOptions) -> str | None:
    if not strategy.collects_garbage:
        return None
    if options.orphanDependents is not None:
        return ORPHAN_FINALIZER if options.orphanDependents else None
    if options.propagationPolicy is not None:
        by_policy = {ORPHAN: ORPHAN_FINALIZER, FOREGROUND: FOREGROUND_FINALIZER}
        return by_policy.get(options.propagationPolicy)
    for finalizer in (ORPHAN_FINALIZER, FOREGROUND_FINALIZER):
        if finalizer in present:
            return finalizer
    return ORPHAN_FINALIZER if strategy.orphans_dependents else None
