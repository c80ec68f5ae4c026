"""All pod workers of a node: start, wake, adopt, end.

The agent hands over whole lists of wanted pods (`wish`). A pod that is no longer on the list is
taken down; containers whose pod nobody remembers are taken down too, but only once every source
has spoken (`sweep`). Bound: one task per pod.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.meta import ObjectMeta
from appliance.kit.clock import parse_rfc3339
from appliance.kit.tasks import Tasks
from appliance.node.pods.early import EarlyEvents
from appliance.node.pods.execute import Parts
from appliance.node.pods.view import DEFAULT_GRACE_S, Ending, grace_of
from appliance.node.pods.worker import Worker
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container
from appliance.node.sources.base import is_static

log = structlog.get_logger(__name__)


class Workers:
    """One worker per pod uid."""

    def __init__(self, parts: Parts, tasks: Tasks) -> None:
        self._parts = parts
        self._tasks = tasks
        self._workers: dict[str, Worker] = {}
        self._wanted: Mapping[str, Pod] = {}
        self._finished: set[str] = set()
        """Uids that are done with here but still on somebody's list."""
        self._early = EarlyEvents()
        self._idle = asyncio.Event()
        self._idle.set()

    def wish(self, pods: Sequence[Pod], *, remembered: frozenset[str] = frozenset()) -> None:
        """These pods should be here, and no others; those `remembered` (by uid) come from disk."""
        wanted = {pod.metadata.uid: pod for pod in pods}
        self._wanted = wanted
        self._finished &= wanted.keys()
        for uid, worker in self._workers.items():
            if uid not in wanted:
                self._end(worker)
        for uid, pod in wanted.items():
            if uid in self._finished:
                continue
            if uid not in self._workers and self._has_predecessor(pod):
                continue  # `_run` of the old one begins it
            old = uid in remembered
            worker = self._workers.get(uid) or self._begin(pod, remembered=old)
            worker.wish(pod, _ending(pod, self._parts.clock.wall()), remembered=old)

    async def sweep(self) -> None:
        """Take down what belongs to pods that nobody wants; every source has spoken."""
        seen = await self._parts.runtime.list(marks.of_cluster(self._parts.options.cluster_id))
        for pod in _owners(seen).values():
            if pod.metadata.uid not in self._workers:
                log.info("orphan pod", pod=f"{pod.metadata.namespace}/{pod.metadata.name}")
                self._end(self._begin(pod))
        known = frozenset(self._workers)
        await self._parts.network.keep_only(known)
        await self._parts.volumes.keep_only(known)

    async def follow_engine(self) -> None:
        """Wake workers by the engine's events; returns or raises when the stream breaks."""
        events = self._parts.runtime.events(marks.of_cluster(self._parts.options.cluster_id))
        self.ring_all()  # what happened while nobody listened
        async for container_id in events:
            self._heard(container_id)

    def ring_all(self) -> None:
        """Everybody look again."""
        for worker in self._workers.values():
            worker.ring()

    def refresh_all(self) -> None:
        """The slow safety net: look again, and refresh volumes."""
        for worker in self._workers.values():
            worker.refresh()

    @property
    def by_uid(self) -> Mapping[str, Worker]:
        """The workers, for the node's own API."""
        return self._workers

    def find(self, namespace: str, name: str) -> Worker | None:
        """The worker of a pod by its name; of two (one is going), the one that stays."""
        found = [
            w
            for w in self._workers.values()
            if (w.pod.metadata.namespace, w.pod.metadata.name) == (namespace, name)
        ]
        found.sort(key=lambda w: w.pod.metadata.deletionTimestamp is not None)
        return found[0] if found else None

    async def wait_idle(self) -> None:
        """Return when no pod is left."""
        await self._idle.wait()

    def _begin(self, pod: Pod, *, remembered: bool = False) -> Worker:
        worker = Worker(pod, self._parts, self._tasks, early=self._early, remembered=remembered)
        self._workers[pod.metadata.uid] = worker
        self._idle.clear()
        meta = pod.metadata
        _ = self._tasks.spawn(f"pod/{meta.namespace}/{meta.name}", self._run(worker))
        return worker

    def _end(self, worker: Worker) -> None:
        worker.drop(Ending(self._parts.clock.wall(), grace_of(worker.pod), confirm=False))

    async def _run(self, worker: Worker) -> None:
        uid = worker.pod.metadata.uid
        await worker.run()
        del self._workers[uid]
        if worker.was_deleted:
            self._finished.add(uid)
        elif uid in self._wanted:  # it left the list and came back while it was taken down
            self._begin(self._wanted[uid])
        self._begin_successors()
        if not self._workers:
            self._idle.set()

    def _has_predecessor(self, pod: Pod) -> bool:
        """Whether a static pod's older self still has to go: the two want the same ports and files.
        (The API lets go of a name only when its pod has gone.)
        """
        name = (pod.metadata.namespace, pod.metadata.name)
        return is_static(pod) and any(
            uid not in self._wanted
            and (worker.pod.metadata.namespace, worker.pod.metadata.name) == name
            for uid, worker in self._workers.items()
        )

    def _begin_successors(self) -> None:
        for uid, pod in self._wanted.items():
            due = uid not in self._workers and uid not in self._finished
            if due and is_static(pod) and not self._has_predecessor(pod):
                self._begin(pod)

    def _heard(self, container_id: str) -> None:
        for worker in self._workers.values():
            if container_id in worker.container_ids:
                worker.ring()
                return
        self._early.note(container_id)  # made since the last look of its worker


def _ending(pod: Pod, now: float) -> Ending | None:
    """The API tells whole seconds: the pod's deletion came within the one after that moment."""
    deleted = pod.metadata.deletionTimestamp
    if deleted is None:
        return None
    grace_s = grace_of(pod)
    told = parse_rfc3339(deleted) - grace_s
    # Nobody gets less time than was promised; some of the second more, if we hear of it late.
    return Ending(max(told, min(now, told + 1.0)), grace_s, confirm=True)


def _owners(seen: Sequence[Container]) -> dict[str, Pod]:
    """A stand-in for each pod that containers name: enough to take it down."""
    found: dict[str, Pod] = {}
    for container in seen:
        ref = marks.pod_of(container.marks)
        if ref is None:
            continue
        grace = container.marks.get(marks.GRACE_S, "")
        found[ref.uid] = Pod(
            metadata=ObjectMeta(name=ref.name, namespace=ref.namespace, uid=ref.uid),
            spec=PodSpec(
                terminationGracePeriodSeconds=int(grace)
                if grace.isdecimal()
                else int(DEFAULT_GRACE_S)
            ),
        )
    return found
