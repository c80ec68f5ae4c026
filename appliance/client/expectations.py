"""Own writes that the cache does not show yet.

A loop that creates or deletes by count must not count again before it sees what it did: it would
do it twice. It tells here what it wrote, and works on an owner only when the cache has caught up.

Nothing times out and no event is counted. A creation is seen when the informer has reached its
revision (revisions of one server are ordered), a deletion when the object is gone from the cache,
is another one, or carries a deletionTimestamp. Both make the owner dirty when they arrive, which
is when it looks again. Bound: what one owner wrote in one pass.
"""

from dataclasses import dataclass, field
from typing import Generic

from appliance.api.kind import T
from appliance.api.meta import KubeObject
from appliance.client.cache import key_of
from appliance.client.informer import Informer


@dataclass(slots=True)
class _Awaited:
    revision: int = 0
    going: dict[str, str] = field(default_factory=dict)
    """uid -> cache key"""


class Expectations(Generic[T]):
    """Whether `informer` shows all that was written for an owner."""

    def __init__(self, informer: Informer[T]) -> None:
        self._informer = informer
        self._by_owner: dict[str, _Awaited] = {}

    def created(self, owner: str, obj: KubeObject) -> None:
        """Expect to see an object, as the server returned it."""
        awaited = self._by_owner.setdefault(owner, _Awaited())
        awaited.revision = max(awaited.revision, int(obj.metadata.resourceVersion or 0))

    def deleted(self, owner: str, obj: KubeObject) -> None:
        """Expect an object to go or to be marked as going."""
        awaited = self._by_owner.setdefault(owner, _Awaited())
        awaited.going[obj.metadata.uid] = key_of(obj)

    def met(self, owner: str) -> bool:
        """Whether the cache shows everything; then it is forgotten."""
        awaited = self._by_owner.get(owner)
        if awaited is None:
            return True
        if self._informer.revision < awaited.revision:
            return False
        if any(self._is_there(uid, key) for uid, key in awaited.going.items()):
            return False
        del self._by_owner[owner]
        return True

    def forget(self, owner: str) -> None:
        """Drop what was expected for an owner that is gone."""
        self._by_owner.pop(owner, None)

    def _is_there(self, uid: str, key: str) -> bool:
        obj = self._informer.cache.get(key)
        return (
            obj is not None and obj.metadata.uid == uid and obj.metadata.deletionTimestamp is None
        )
