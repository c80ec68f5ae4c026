"""Small questions about objects: who owns it, in which condition it is, what to name it.

Used by controllers, the scheduler, the node agent and the registry. Pure; functions that change
say so and change only what they are given (clone objects from caches first).
"""

import random
from collections.abc import Iterable, MutableSequence
from typing import Any, Protocol, TypeVar

from appliance.api.kind import Kind
from appliance.api.meta import KubeObject, ObjectMeta, OwnerReference

NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, no look-alikes: random names spell nothing."""

RANDOM_LENGTH = 5
NAME_MAX = 63
"""Longest name that generateName makes; the base is cut to fit."""


class ConditionLike(Protocol):
    """What conditions of all kinds have in common."""

    type: str
    status: str
    reason: str
    message: str


C = TypeVar("C", bound=ConditionLike)


def key_of(obj: KubeObject) -> str:
    """`namespace/name`, or `name` where there is no namespace."""
    meta = obj.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def split_key(key: str) -> tuple[str, str]:
    """Undo `key_of`: (namespace, name)."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


def controller_of(obj: KubeObject | ObjectMeta) -> OwnerReference | None:
    """Give the owner that manages this object, if one does."""
    meta = obj if isinstance(obj, ObjectMeta) else obj.metadata
    return next((ref for ref in meta.ownerReferences if ref.controller), None)


def is_controlled_by(obj: KubeObject, owner: KubeObject) -> bool:
    """Whether `owner` (this very one, by UID) manages `obj`."""
    ref = controller_of(obj)
    return ref is not None and ref.uid == owner.metadata.uid


def owner_ref(kind: Kind[Any], owner: KubeObject) -> OwnerReference:
    """Make a plain reference to an owner."""
    return OwnerReference(
        apiVersion=kind.api_version,
        kind=kind.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
    )


def controller_ref(kind: Kind[Any], owner: KubeObject) -> OwnerReference:
    """Make the reference that marks `owner` as the managing controller."""
    ref = owner_ref(kind, owner)
    ref.controller = True
    ref.blockOwnerDeletion = True
    return ref


def condition(conditions: Iterable[C], kind: str) -> C | None:
    """Find the condition of this type."""
    return next((c for c in conditions if c.type == kind), None)


def is_true(conditions: Iterable[ConditionLike], kind: str) -> bool:
    """Whether there is such a condition and it is True."""
    found = condition(conditions, kind)
    return found is not None and found.status == "True"


def set_condition(conditions: MutableSequence[C], new: C) -> bool:
    """Put a condition into the list, in its old place if it has one; True where that changed it.

    lastTransitionTime stays when the status stays.
    """
    for index, old in enumerate(conditions):
        if old.type != new.type:
            continue
        since = getattr(old, "lastTransitionTime", None)
        if old.status == new.status and since:
            new.lastTransitionTime = since  # type: ignore[attr-defined]
        if old == new:
            return False
        conditions[index] = new
        return True
    conditions.append(new)
    return True


def random_suffix(chance: random.Random, length: int = RANDOM_LENGTH) -> str:
    """Five characters that spell nothing."""
    return "".join(chance.choices(NAME_ALPHABET, k=length))


def generate_name(base: str, chance: random.Random) -> str:
    """Make a name from metadata.generateName."""
    return base[: NAME_MAX - RANDOM_LENGTH] + random_suffix(chance)
