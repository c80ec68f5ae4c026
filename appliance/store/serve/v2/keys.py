"""The tree as keys of the store: every change is one transaction, one revision, one event.

    \\0etcd-v2/n/<path>   a node (JSON)
    \\0etcd-v2/e          the event of the last change; its history is that of the tree

The tree is in memory, read when it is first asked for, and anew when the event is not the one it
knows (another master, or somebody who deletes our keys). A change is written on the condition
that it is; if not it is planned again. Changes go one after the other.

Indexes are revisions of the store: they grow, but not by one where others write keys as well.
"""

import asyncio
from collections.abc import Callable

import structlog

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store.base import (
    Compare,
    CompareTarget,
    Delete,
    Op,
    Put,
    Range,
    Store,
    Txn,
    WatchRequest,
    prefix_end,
)
from appliance.store.errors import Compacted, StoreError
from appliance.store.serve.quota import Quota, cost_of
from appliance.store.serve.v2.errors import Code, V2Error
from appliance.store.serve.v2.history import EventWatcher, History
from appliance.store.serve.v2.nodes import Event, decode, encode
from appliance.store.serve.v2.tree import Plan, Tree

log = structlog.get_logger(__name__)

PREFIX = b"\x00etcd-v2/"
_NODES = PREFIX + b"n"
_EVENT = PREFIX + b"e"
_RETRY_S = 5.0
_ATTEMPTS = 10

Planner = Callable[[Tree], Plan]


class V2Keys:
    """The tree of one store."""

    def __init__(self, store: Store, quota: Quota, clock: Clock, tasks: Tasks) -> None:
        self.clock = clock
        self.tree = Tree()
        self.history = History()
        self._store = store
        self._quota = quota
        self._tasks = tasks
        self._turn = asyncio.Lock()
        self._known: int | None = None
        """The revision of the last event; None: nothing has been read yet."""
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0
        self.expired = 0
        """How many nodes have expired since the start."""

    async def ready(self) -> None:
        """Return when the tree is there, as new as the store, without what is overdue."""
        if self._known != await self._last_event():
            async with self._turn:
                if self._known != await self._last_event():
                    await self._load()
        if self.tree.due(self.clock.wall()) is not None:
            await self._expire()

    async def change(self, planner: Planner, author: str = "") -> Event:
        """Make a change.

        Raises:
            V2Error: it is refused.
        """
        await self.ready()
        async with self._turn:
            try:
                return await self._change(planner, author)
            except StoreError as error:
                raise V2Error(Code.INTERNAL, str(error), self.tree.index) from error

    def watch(self, watcher: EventWatcher, index: int) -> EventWatcher:
        """Let somebody wait.

        Raises:
            V2Error: events from there on have been forgotten.
        """
        return self.history.watch(watcher, index, self.tree.index)

    async def next_index(self) -> int:
        """The index that a change would have by now."""
        return (await self._store.range(Range(key=_EVENT, count_only=True))).revision + 1

    def close(self) -> None:
        """End all waiting."""
        self.history.close()

    async def _change(self, planner: Planner, author: str) -> Event:
        for _ in range(_ATTEMPTS):
            plan = planner(self.tree)
            ops = tuple(_ops(plan))
            await self._quota.admit(sum(map(cost_of, ops)) if plan.writes else 0)
            known = Compare(key=_EVENT, target=CompareTarget.MOD, operand=self._known or 0)
            result = await self._store.txn(Txn(compares=(known,), success=ops), author)
            if result.succeeded:
                event = self.tree.apply(plan, result.revision)
                self._known = result.revision
                self.history.add(event)
                self._set_alarm()
                return event
            await self._load()
        raise V2Error(Code.INTERNAL, "others change the tree all the time", self.tree.index)

    # Reading what is kept

    async def _load(self) -> None:
        known = await self._last_event()
        found = await self._store.range(Range(key=_NODES, end=prefix_end(_NODES)))
        nodes = [decode(kv.value, kv.mod_revision) for kv in found.kvs]
        history = await self._past()
        history.follow_on(self.history)
        self.history = history
        self.tree = Tree(nodes, found.revision)
        self._known = known
        self._set_alarm()

    async def _last_event(self) -> int:
        found = (await self._store.range(Range(key=_EVENT, keys_only=True))).kvs
        return found[0].mod_revision if found else 0

    async def _past(self) -> History:
        """The events that the store still has."""
        since = (await self._store.status()).compact_revision + 1
        while True:
            watcher = self._store.watch(WatchRequest(key=_EVENT, start_revision=since))
            events: list[Event] = []
            try:
                watcher.progress()
                async for batch in watcher:
                    if not batch.events:
                        return History(events, since if since > 1 else 0)
                    kvs = [change.kv for change in batch.events if change.kv.value]
                    events += [Event.decode(kv.value, kv.mod_revision) for kv in kvs]
            except Compacted as gone:
                since = gone.compact_revision + 1
            finally:
                watcher.close()

    # Keys whose time is up

    def _set_alarm(self) -> None:
        due = min(self.tree.expiring.values(), default=None)
        if due is None:
            return
        if self._alarm is not None and not self._alarm.done():
            if self._alarm_at <= due:
                return
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = self._tasks.spawn("v2 expiry", self._ring(due))

    async def _ring(self, due: float) -> None:
        await self.clock.sleep(due - self.clock.wall())
        try:
            await asyncio.shield(self._tasks.spawn("v2 expire", self._expire()))
        except (StoreError, V2Error) as error:
            log.warning("keys not expired", error=str(error))
            await self.clock.sleep(_RETRY_S)
        self._alarm = None
        self._set_alarm()

    async def _expire(self) -> None:
        """Remove what is due; one event each."""
        async with self._turn:
            while self.tree.due(self.clock.wall()) is not None:
                try:
                    await self._change(self._plan_expiry, "expiry")
                    self.expired += 1
                except _NothingDue:
                    return

    def _plan_expiry(self, tree: Tree) -> Plan:
        plan = tree.due(self.clock.wall())
        if plan is None:
            raise _NothingDue  # somebody else has been quicker
        return plan


class _NothingDue(Exception):
    pass


def _ops(plan: Plan) -> list[Op]:
    ops: list[Op] = []
    if plan.gone:
        key = _key(plan.gone)
        ops.append(Delete(key=key))
        if plan.event.node.is_dir:
            ops.append(Delete(key=key + b"/", end=prefix_end(key + b"/")))
    ops += [Put(key=_key(shown.key), value=encode(shown)) for shown in plan.writes]
    return [*ops, Put(key=_EVENT, value=plan.event.encode())]


def _key(path: str) -> bytes:
    return _NODES + path.encode(errors="surrogateescape")
