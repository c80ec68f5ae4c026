"""What the server itself writes into metadata: names, uids, times, generations.

Pure but for the chance and the time that are passed in. Called by the create and update paths.
Source: apiserver `pkg/registry/rest/{create,update,meta}.go`.
"""

import random
import uuid
from typing import Any

from appliance.api import errors, faults
from appliance.api.errors import Cause
from appliance.api.kind import Kind, T
from appliance.api.meta import ObjectMeta
from appliance.api.objects import generate_name
from appliance.control.registry.base import Stored
from appliance.control.registry.refusals import Unclassified
from appliance.kit.clock import rfc3339


def begin(meta: ObjectMeta, *, rng: random.Random, now: float, counted: bool) -> None:
    """Fill in what every new object gets; what only the server may say is overwritten."""
    meta.uid = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    meta.creationTimestamp = rfc3339(now)
    meta.deletionTimestamp = None
    meta.deletionGracePeriodSeconds = None
    meta.selfLink = ""
    meta.generation = 1 if counted else 0
    if meta.generateName and not meta.name:
        meta.name = generate_name(meta.generateName, rng)


def check_namespace(kind: Kind[Any], meta: ObjectMeta, namespace: str) -> None:
    """Take over the request's namespace.

    Raises:
        BadRequest: the object names another one.
    """
    if kind.namespaced and meta.namespace not in ("", namespace):
        raise errors.BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta.namespace = namespace if kind.namespaced else ""


def check_name(meta: ObjectMeta, name: str) -> None:
    """Compare with the name in the URL.

    Raises:
        BadRequest: they differ.
    """
    if not meta.name:
        raise errors.BadRequest(
            f"the name of the object ({name} based on URL) was undeterminable: "
            "name must be provided"
        )
    if meta.name != name:
        raise errors.BadRequest(
            f"the name of the object ({meta.name}) does not match the name on the URL ({name})"
        )


def wanted_revision(meta: ObjectMeta) -> int:
    """The revision that an update builds on, 0 for whatever is there."""
    text = meta.resourceVersion
    if not text.isascii() or (text and not text.isdigit()):
        raise Unclassified(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text or 0)


def check_precondition(kind: Kind[T], new: ObjectMeta, old: Stored[T], key: str) -> None:
    """Compare uid and revision of an update with what is stored.

    Raises:
        Conflict: one of them differs.
        Invalid: the kind wants a revision, and there is none.
    """
    wanted = wanted_revision(new)
    name = old.obj.metadata.name
    if not wanted and not kind.unconditional_update:
        cause = faults.wrong("metadata.resourceVersion", 0, "must be specified for an update")
        raise errors.invalid(kind.plural, kind.group, name, [cause])
    uid = old.obj.metadata.uid
    if new.uid not in ("", uid):
        why = (
            f"StorageError: invalid object, Code: 4, Key: {kind.storage_prefix()}{key}, "
            f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
            f"UID in precondition: {new.uid}, UID in object meta: {uid}"
        )
        raise errors.conflict(kind.plural, kind.group, name, why)
    if wanted and wanted != old.revision:
        raise errors.conflict(kind.plural, kind.group, name, errors.STALE)


def carry_over(new: ObjectMeta, old: ObjectMeta) -> None:
    """Keep what an update need not repeat; what it must not change is checked by validation."""
    new.uid = new.uid or old.uid
    new.creationTimestamp = old.creationTimestamp
    new.deletionTimestamp = old.deletionTimestamp or new.deletionTimestamp
    if old.deletionTimestamp or new.deletionGracePeriodSeconds is None:
        new.deletionGracePeriodSeconds = old.deletionGracePeriodSeconds
    new.generation = old.generation
    new.selfLink = ""


def refused(kind: Kind[Any], name: str, causes: list[Cause]) -> None:
    """Raise one Invalid for all faults, if there are any."""
    if causes:
        group = kind.stored_as.kind.group if kind.stored_as else kind.group
        raise errors.invalid(kind.kind, group, name, causes)
