"""What a kind does differently when it is written; the default does nothing.

Pure rules (defaults, validation, what a writer may not set) are in the kind itself, `api/kinds`.
A strategy has what needs the registry: addresses to hand out, other objects, grace. One file per
odd kind in `strategies/`.
"""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from appliance.api.meta import DeleteOptions

LEAST_GRACE_S = 1
"""A negative grace period means the shortest there is."""


class Strategy:
    """Hooks of the write paths. Objects called `new` or `obj` are ours: they may be changed."""

    orphans_dependents = False
    """Without a policy of the user, a delete leaves dependents alone (RC, Job)."""
    delete_warning = ""
    """Said when somebody deletes without saying what shall become of the dependents."""
    is_graceful = False
    """The first delete only starts a period of grace (pods on a node)."""
    ttl_s = 0
    """Seconds after the last write until it goes by itself; 0: never."""
    collects_garbage = True
    """Propagation policies have an effect (not for Events)."""

    def turn(self) -> AbstractAsyncContextManager[Any]:
        """Held from `allocate` until the write is visible, where writes must not overlap."""
        return nullcontext()

    async def allocate(self, new: Any, old: Any | None, *, dry_run: bool) -> None:
        """Hand out what only the registry can; not kept anywhere but in the object.

        Raises:
            Invalid: what the user asked for is taken.
        """

    def grace_s(self, obj: Any, options: DeleteOptions) -> int:
        """Seconds between the first delete and the end, where the kind is graceful."""
        del obj, options
        return 0

    def begin_delete(self, obj: Any) -> None:
        """Mark what the first delete marks beside deletionTimestamp."""

    def is_finished(self, obj: Any) -> bool:
        """Whether an object that is being deleted may go, but for its finalizers."""
        return obj.metadata.deletionGracePeriodSeconds in (None, 0)


DEFAULT = Strategy()
