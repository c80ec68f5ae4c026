"""The scheduling loop: a pod without a node → choose → bind, or say why not.

The most important pod is first (`queue.py`). A choice is made on the snapshot in one go, without
an await, so two choices never see the same room; writing the result happens beside it, WRITES at
once. A pod that fits nowhere may push out others (`preemption.py`) and waits until something
happens that may help it. Pods that name a scheduler that we are not are none of our business.
"""

import asyncio
import random
from collections.abc import Sequence

import structlog

from appliance.api.errors import ApiError
from appliance.api.kinds.core.pod.kind import Pod
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.events import Recorder
from appliance.client.informer import Informers
from appliance.control.scheduler.algorithm import NO_NODES, Chooser, Unfit
from appliance.control.scheduler.base import Change, Filter
from appliance.control.scheduler.extension import Extension
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.preemption import NoPlan, Plan, plan
from appliance.control.scheduler.profile import NAME
from appliance.control.scheduler.queue import Entry, Queue
from appliance.control.scheduler.settings import Settings
from appliance.control.scheduler.world import World
from appliance.control.scheduler.writing import Writer
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks

log = structlog.get_logger(__name__)

DEFAULT = Settings()
WRITES = 32
"""Bindings and conditions in flight at once; more would not make a group commit cheaper."""


class Scheduler:
    """Binds pods to nodes; run it with `run`."""

    name = "scheduler"

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        clock: Clock,
        recorder: Recorder,
        rng: random.Random,
        settings: Settings = DEFAULT,
        extensions: Sequence[Extension] = (),
    ) -> None:
        self._clock = clock
        self._writer = Writer(client, clock=clock, recorder=recorder)
        self._extensions = tuple(extensions)
        more = tuple(rule for extension in extensions for rule in extension.filters)
        self._choosers = {p.name: Chooser(p.plus(more), rng) for p in settings.profiles}
        self._queue = Queue(clock, settings.retry)
        self._busy = 0
        self.done = 0
        """Tries, in vain or not."""
        self.failed = 0
        """Tries that an error ended."""
        self._world = World(informers, tell=self._happened, wanting=self._wanting)
        for extension in extensions:
            extension.listen(self._happened)

    async def run(self) -> None:
        """Schedule until cancelled."""
        for informer in self._world.informers:
            await informer.wait_synced()
        for extension in self._extensions:
            for informer in extension.informers:
                await informer.wait_synced()
        self._busy = 0
        self._queue.reopen()
        async with Tasks(self.name, self._clock) as tasks:
            _ = tasks.spawn("timer", self._queue.keep_time())
            _ = tasks.spawn("rests", self._queue.end_rests())
            _ = tasks.spawn("choices", self._work(tasks))
            await tasks.wait_failed()

    @property
    def waiting(self) -> int:
        """Pods without a node, whatever they wait for."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nothing is being scheduled; pods that fit nowhere do not count."""
        return self._queue.is_empty and not self._busy

    async def _work(self, tasks: Tasks) -> None:
        slots = asyncio.Semaphore(WRITES)
        while True:
            await slots.acquire()
            entry = await self._queue.pop()
            self._busy += 1
            _ = tasks.spawn("write", self._try(entry, slots))
            await self._clock.sleep(0)  # others want to run between two choices, too

    async def _try(self, entry: Entry, slots: asyncio.Semaphore) -> None:
        """Choose at once, then write; the top of the loop for one pod."""
        info = entry.info
        try:
            await self._schedule(info)
        except asyncio.CancelledError:
            self._back_out(info)  # leadership may come back: the pod still wants a node then
            raise
        except Exception as error:  # the top of the loop: again after a rest
            self._back_out(info)
            self.failed += 1
            log.warning(
                "scheduling failed",
                pod=info.key,
                error=f"{type(error).__name__}: {error}",
                exc_info=None if isinstance(error, ApiError) else error,
            )
        finally:
            self._busy -= 1
            self.done += 1
            slots.release()

    async def _schedule(self, info: PodInfo) -> None:
        snapshot = self._world.snapshot
        chooser = self._choosers.get(info.pod.spec.schedulerName or NAME)
        if chooser is None or snapshot.where(info.uid):
            self._queue.drop(info.key)
            return
        choice = chooser.choose(info, snapshot)
        if isinstance(choice, Unfit):
            await self._unfit(info, choice, chooser)
            return
        self._queue.drop(info.key)
        self._world.assume(info, choice.node)
        for extension in self._extensions:
            extension.assume(info, choice.node)
        for extension in self._extensions:
            await extension.before_bind(info, choice.node)
        if await self._writer.bind(info.pod, choice.node):
            log.info("pod bound", pod=info.key, node=choice.node)
        else:
            self._forget(info)

    async def _unfit(self, info: PodInfo, unfit: Unfit, chooser: Chooser) -> None:
        self._queue.park(info.key, unfit.rules)
        snapshot = self._world.snapshot
        message, nominated = unfit.message, snapshot.nomination(info.uid)
        found: Plan | NoPlan | None = None
        if chooser.profile.preempts and message != NO_NODES:
            found = plan(info, unfit, chooser, snapshot, budgets=self._world.budgets())
        losers: list[PodInfo] = []
        if isinstance(found, Plan):
            nominated = found.node
            # Room that was to be for less important pods is not enough for both.
            there = snapshot.nominated.get(nominated, {}).values()
            losers = [other for other in there if other.priority < info.priority]
            for other in losers:
                snapshot.nominate(other, "")
        elif isinstance(found, NoPlan):
            message = f"{message} preemption: {found.message}"
            nominated = nominated if found.is_under_way else ""
        snapshot.nominate(info, nominated)
        await self._writer.unfit(info.pod, message, nominated=nominated)
        for other in losers:
            await self._writer.withdraw(other.pod)
        if isinstance(found, Plan):
            names = [victim.key for victim in found.victims]
            log.info("pods pushed out", victims=names, pod=info.key, node=found.node)
            for victim in found.victims:
                await self._writer.push_out(victim, info, found.node)

    def _forget(self, info: PodInfo) -> None:
        for extension in self._extensions:
            extension.forget(info)
        self._world.forget(info)

    def _back_out(self, info: PodInfo) -> None:
        """A write failed: the pod is where it was before."""
        self._forget(info)
        pod = self._world.pod(info.key)
        if pod is None or pod.metadata.uid != info.uid or not _wants_node(pod):
            return
        self._queue.failed(PodInfo(pod))

    def _wanting(self, old: Pod | None, new: Pod | None) -> None:
        """A pod wants a node, wants it otherwise, or no more."""
        pod = new or old
        if pod is None:
            return
        key = key_of(pod)
        if new is None or not self._is_ours(new):
            self._queue.drop(key)
            return
        known = self._queue.get(key)
        if known is not None and old is not None and _asks_the_same(known.info.pod, new):
            known.info.pod = new
            return
        info = PodInfo(new)
        if new.status.nominatedNodeName:
            self._world.snapshot.nominate(info, new.status.nominatedNodeName)
        self._queue.put(info)

    def _is_ours(self, pod: Pod) -> bool:
        return _wants_node(pod) and (pod.spec.schedulerName or NAME) in self._choosers

    def _happened(self, change: Change) -> None:
        """Try pods again that a change may help."""
        snapshot = self._world.snapshot

        def concerns(entry: Entry) -> bool:
            return not entry.rules or any(isinstance(change, r.heeds) for r in self._rules(entry))

        def helps(entry: Entry) -> bool:
            return not entry.rules or any(
                rule.helped_by(entry.info, snapshot, change)
                for rule in self._rules(entry)
                if isinstance(change, rule.heeds)
            )

        self._queue.wake(concerns, helps)

    def _rules(self, entry: Entry) -> list[Filter]:
        chooser = self._choosers[entry.info.pod.spec.schedulerName or NAME]
        return [rule for rule in chooser.profile.filters if rule.name in entry.rules]


def _wants_node(pod: Pod) -> bool:
    return (
        not pod.spec.nodeName
        and not pod.spec.schedulingGates
        and pod.metadata.deletionTimestamp is None
    )


def _asks_the_same(old: Pod, new: Pod) -> bool:
    """Whether a pod that waits has changed in nothing that decides where it may go."""
    return old.spec == new.spec and old.metadata.labels == new.metadata.labels
