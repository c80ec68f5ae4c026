"""UPDATE and everything that changes an object in place.

`rewrite` is the one way from an old state to a new one: PUT, PATCH, status, scale, binding and
finalize all pass through it. `change` makes the wanted state out of the stored one; it is asked
again when another writer came first, unless the user named the revision to build on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import msgspec

from appliance.api import errors
from appliance.api.kind import Kind, T
from appliance.api.validate_meta import validate_meta_update
from appliance.client.base import clone
from appliance.control.access.admission import admit
from appliance.control.access.steps.base import Attempt
from appliance.control.registry import metadata, owners
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.creating import create, unstored, warn
from appliance.control.registry.encoding import key_of
from appliance.control.registry.parts import Parts
from appliance.control.registry.storage import Moved

_TRIES = 5
"""As upstream's patch; an unconditional PUT under contention wins in the first or second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite(Generic[T]):
    """A wanted change of one object."""

    kind: Kind[T]
    namespace: str
    name: str
    change: Callable[[Stored[T]], T]
    """Makes the new state; must not touch what it is given. May raise ApiErrors."""
    call: Call
    subresource: str = ""
    owned_through: str = ""
    """Sub-resource in managedFields, where the change itself is one of the main object (scale)."""
    record_owners: bool = True
    """False where the change brings its own managedFields (server-side apply)."""
    plain: bool = False
    """The server itself changes a known part (binding): no rules, no admission, no generation."""

    def not_found(self) -> errors.NotFound:
        """Make the 404 for this object."""
        return errors.not_found(self.kind.plural, self.kind.group, self.name)


async def update(
    parts: Parts,
    kind: Kind[T],
    obj: T,
    *,
    namespace: str,
    name: str,
    call: Call,
    subresource: str = "",
) -> tuple[Stored[T], bool]:
    """Replace an object by what the user sent; `obj` is ours from here on."""
    metadata.check_name(obj.metadata, name)
    metadata.check_namespace(kind, obj.metadata, namespace)
    may_create = kind.create_on_update and not subresource
    if may_create and await parts.storage.get(kind, namespace, name) is None:
        try:
            made = await _create_by_put(parts, kind, clone(obj), namespace=namespace, call=call)
        except errors.AlreadyExists:
            pass  # somebody was faster: replace theirs
        else:
            return made, True

    def change(old: Stored[T]) -> T:
        new = clone(obj)
        metadata.check_precondition(kind, new.metadata, old, key_of(kind, namespace, name))
        return new

    wanted = Rewrite(
        kind=kind, namespace=namespace, name=name, change=change, call=call, subresource=subresource
    )
    return await rewrite(parts, wanted), False


async def _create_by_put(
    parts: Parts, kind: Kind[T], obj: T, *, namespace: str, call: Call
) -> Stored[T]:
    if metadata.wanted_revision(obj.metadata):
        # the object that this revision was of is gone
        raise errors.not_found(kind.plural, kind.group, obj.metadata.name)
    obj.metadata.resourceVersion = ""
    if call.check_create is not None:
        await call.check_create()
    return await create(parts, kind, obj, namespace=namespace, call=call)


async def rewrite(parts: Parts, wanted: Rewrite[T]) -> Stored[T]:
    """Carry out a change.

    Raises:
        NotFound: there is no such object.
        Conflict, Forbidden, Invalid: the change is refused.
    """
    kind = wanted.kind
    old = await parts.storage.get(kind, wanted.namespace, wanted.name)
    for _ in range(_TRIES):
        if old is None:
            raise wanted.not_found()
        new = wanted.change(old)
        try:
            return await _replace(parts, wanted, old, new)
        except Moved as moved:
            old = moved.now
    raise errors.conflict(kind.plural, kind.group, wanted.name, errors.STALE)


async def _replace(parts: Parts, wanted: Rewrite[T], old: Stored[T], new: T) -> Stored[T]:
    kind, call = wanted.kind, wanted.call
    new.kind, new.apiVersion = kind.kind, kind.api_version
    if wanted.plain:
        return await _write(parts, wanted, old, new)
    metadata.carry_over(new.metadata, old.obj.metadata)
    kind.set_defaults(new)
    if wanted.record_owners:
        via = wanted.subresource or wanted.owned_through
        owners.record(parts, kind, new, old.obj, call=call, subresource=via)
    attempt = Attempt(
        verb="update",
        kind=kind,
        namespace=wanted.namespace,
        name=wanted.name,
        obj=new,
        old=old.obj,
        subresource=wanted.subresource,
        call=call,
    )
    await admit(parts.admission, attempt)
    isolate(wanted, new, old.obj)
    if kind.has_generation and kind.desired(new) != kind.desired(old.obj):
        new.metadata.generation += 1
    return await _write(parts, wanted, old, new)


async def _write(parts: Parts, wanted: Rewrite[T], old: Stored[T], new: T) -> Stored[T]:
    kind, strategy = wanted.kind, parts.strategy(wanted.kind)
    async with strategy.turn():
        await strategy.allocate(new, old.obj, dry_run=wanted.call.dry_run)
        if not wanted.plain:
            metadata.refused(kind, wanted.name, faults_of_update(wanted, new, old.obj))
            warn(wanted.call, kind.warn(new))
        new.metadata.resourceVersion = old.obj.metadata.resourceVersion
        if owners.same_but_for_times(new, old.obj):  # then the revision stays (A33)
            return old
        if wanted.call.dry_run:
            return unstored(kind, new, old.revision)
        if is_done(parts, kind, new):
            await parts.storage.remove(kind, old, wanted.call.user.name)
            return unstored(kind, new, old.revision)
        return await parts.storage.replace(
            kind, old, new, wanted.call.user.name, ttl_s=strategy.ttl_s
        )


def isolate(wanted: Rewrite[T], new: T, old: T) -> None:
    """Put back what this door may not change: status here, everything else at /status."""
    entries = new.metadata.managedFields
    wanted.kind.prepare_write(new, old, wanted.subresource)
    if new.metadata.managedFields is not entries:
        # The kind put the old metadata back; who owns what is news all the same.
        new.metadata = msgspec.structs.replace(new.metadata, managedFields=entries)


def faults_of_update(wanted: Rewrite[T], new: T, old: T) -> list[errors.Cause]:
    """Every fault of the new state, in metadata and elsewhere."""
    kind = wanted.kind
    return [
        *validate_meta_update(new, old, kind),
        *kind.faults_of_write(new, old, wanted.subresource),
    ]


def is_done(parts: Parts, kind: Kind[T], obj: T) -> bool:
    """Whether an object that waits for its end may go now."""
    meta = obj.metadata
    if meta.deletionTimestamp is None or meta.finalizers:
        return False
    return parts.strategy(kind).is_finished(obj)
