"""CREATE: default, note owners, admit, name, validate, store."""

import msgspec

from appliance.api import errors
from appliance.api.kind import Kind, T
from appliance.api.validate_meta import validate_meta
from appliance.control.access.admission import admit
from appliance.control.access.steps.base import Attempt
from appliance.control.registry import metadata, owners
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.encoding import to_store
from appliance.control.registry.parts import Parts
from appliance.control.registry.refusals import Unclassified

_NAME_TRIES = 8
"""A generated name that is taken is drawn anew so often, as upstream does."""


async def create(
    parts: Parts,
    kind: Kind[T],
    obj: T,
    *,
    namespace: str,
    call: Call,
    record_owners: bool = True,
) -> Stored[T]:
    """Store a new object; `obj` is ours from here on.

    Raises:
        AlreadyExists, BadRequest, Forbidden, Invalid, NotFound: see `registry.base`.
    """
    meta = obj.metadata
    metadata.check_namespace(kind, meta, namespace)
    if meta.resourceVersion.isdecimal() and int(meta.resourceVersion):  # other texts are dropped
        raise Unclassified("resourceVersion should not be set on objects to be created")
    obj.kind, obj.apiVersion = kind.kind, kind.api_version
    kind.set_defaults(obj)
    if record_owners:
        owners.record(parts, kind, obj, None, call=call)
    attempt = Attempt(
        verb="create", kind=kind, namespace=namespace, name=meta.name, obj=obj, call=call
    )
    await admit(parts.admission, attempt)
    generates = not meta.name and bool(meta.generateName)
    tries = _NAME_TRIES if generates else 1
    for left in reversed(range(tries)):
        try:
            return await _store(parts, kind, obj, call)
        except errors.AlreadyExists:
            if not left:
                raise
            meta.name = ""
    raise AssertionError("the last try returns or raises")


async def _store(parts: Parts, kind: Kind[T], obj: T, call: Call) -> Stored[T]:
    strategy = parts.strategy(kind)
    metadata.begin(obj.metadata, rng=parts.rng, now=parts.clock.wall(), counted=kind.has_generation)
    kind.prepare_create(obj)
    async with strategy.turn():
        await strategy.allocate(obj, None, dry_run=call.dry_run)
        causes = [*validate_meta(obj, kind), *kind.validate(obj)]
        metadata.refused(kind, obj.metadata.name, causes)
        warn(call, kind.warn(obj))
        if not call.dry_run:
            return await parts.storage.insert(kind, obj, call.user.name, ttl_s=strategy.ttl_s)
    if await parts.storage.get(kind, obj.metadata.namespace, obj.metadata.name):
        raise errors.already_exists(kind.plural, kind.group, obj.metadata.name)
    return unstored(kind, obj)


def warn(call: Call, texts: list[str]) -> None:
    """Add to what the user is told, each text once."""
    call.warnings.extend(text for text in texts if text not in call.warnings)


def unstored(kind: Kind[T], obj: T, revision: int = 0) -> Stored[T]:
    """The answer to a dry run: what would have been stored, under the revision there is."""
    value = to_store(kind, obj)
    if not revision:
        return Stored(obj, value, 0)
    obj.metadata.resourceVersion = str(revision)
    return Stored(obj, msgspec.json.encode(obj), revision)
