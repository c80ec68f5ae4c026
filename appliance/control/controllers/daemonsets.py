"""DaemonSet: one pod on every node that fits, replaced node by node when the template changes.

One pass: which nodes, which pods; missing ones are made (the scheduler binds them, each to its
node only), surplus, misplaced and ended ones go, then one step of the update. A pod that ends is
made anew after a pause that grows.

Source: kubernetes `pkg/controller/daemon`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.api import labels
from appliance.api.errors import AlreadyExists
from appliance.api.kinds.apps.daemonset import DAEMON_SET, TEMPLATE_GENERATION, DaemonSet
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import Pod
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers import daemons, replicas
from appliance.control.controllers.ownedpods import OwnedPods, pod_from, whole
from appliance.control.controllers.revisions import HASH_LABEL, Revisions, hash_of
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock

_PAUSES = Backoff(base_s=1.0, maximum_s=900.0)
_GENERATION_LABEL = "pod-template-generation"


@dataclass(slots=True)
class _Failures:
    """How often the pod of a node ended, and until when it is left alone."""

    count: int = 0
    until: float = 0.0


class DaemonSets:
    """Keeps daemon pods."""

    name = "daemonset"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._owners = informers.of(DAEMON_SET)
        self._nodes = informers.of(NODE)
        self._pods = OwnedPods(client, informers, self._owners, recorder)
        self._revisions = Revisions(client, informers, DAEMON_SET)
        self._failures: dict[str, dict[str, _Failures]] = {}

    def watches(self) -> Sequence[Watch]:
        """Daemon sets, their pods and revisions, and all of them when a node changes its looks."""
        return [
            Watch(self._owners, lambda one: [key_of(one)]),
            Watch(self._pods.informer, self._pods.owners_of(_selector)),
            Watch(self._revisions.informer, self._revisions.owner_of),
            Watch(self._nodes, self._all, only=_looks_other),
        ]

    async def reconcile(self, key: str) -> Result:
        """One pass."""
        one = self._owners.cache.get(key)
        if one is None:
            self._pods.forget(key)
            self._failures.pop(key, None)
            return DONE
        if one.metadata.deletionTimestamp is not None or not self._pods.met(key):
            return DONE
        await self._pods.claimed(key, one, _selector(one))
        try:
            current = await self._revisions.current(
                one, one.spec.template, collisions=one.status.collisionCount or 0
            )
        except AlreadyExists:
            await self._revisions.count_collision(one, one.status.collisionCount or 0)
            raise
        mark = hash_of(current)
        nodes = {
            node.metadata.name: daemons.fits(one.spec.template.spec, node)
            for node in sorted(self._nodes.cache.list(), key=lambda node: node.metadata.name)
        }
        pods = daemons.by_node(self._pods.of(one))
        now = self._clock.wall()
        work = daemons.manage(nodes, pods, surge=_surges(one))
        update = daemons.roll(one, nodes, pods, mark=mark, now=now)
        waits = await self._carry_out(key, one, mark, _joined(work, update))
        used = {p.metadata.labels.get(HASH_LABEL, "") for some in pods.values() for p in some}
        await self._revisions.forget(one, one.spec.revisionHistoryLimit, used=used)
        status, again = daemons.counted(one, nodes, pods, mark=mark, now=now)
        if status != one.status:
            await self._client.patch(
                DAEMON_SET,
                one.metadata.name,
                {"status": whole(status)},
                namespace=one.metadata.namespace,
                subresource="status",
            )
        return Result(again_in_s=min([*waits, *([] if again is None else [again])], default=None))

    def _all(self, _node: Node) -> Iterable[str]:
        return [key_of(one) for one in self._owners.cache.list()]

    async def _carry_out(
        self, key: str, one: DaemonSet, mark: str, work: daemons.Work
    ) -> list[float]:
        """Delete and create; returns after how many seconds to look at ended pods again."""
        waits = [wait for pod in work.failed if (wait := self._pause(key, pod)) > 0]
        ready = [pod for pod in work.failed if self._pause(key, pod) <= 0]
        for pod in ready:
            self._count_failure(key, pod)
            where = f"{key_of(pod)} on node {pod.spec.nodeName}"
            text = f"Found failed daemon pod {where}, will try to kill it"
            self._recorder.record(reference(DAEMON_SET, one), WARNING, "FailedDaemonPod", text)
        refused = await self._pods.delete(key, one, [*work.delete, *ready])
        made = [_pod_for(one, name, mark) for name in work.create[: replicas.BURST]]
        refused = refused or await self._pods.create(key, one, made)
        if refused is not None:
            raise refused
        return waits

    def _pause(self, key: str, pod: Pod) -> float:
        found = self._failures.get(key, {}).get(daemons.node_of(pod), _Failures())
        return found.until - self._clock.monotonic()

    def _count_failure(self, key: str, pod: Pod) -> None:
        found = self._failures.setdefault(key, {}).setdefault(daemons.node_of(pod), _Failures())
        found.count += 1
        found.until = self._clock.monotonic() + _PAUSES.delay(found.count)


def _selector(one: DaemonSet) -> labels.Selector:
    return labels.from_label_selector(one.spec.selector)


def _surges(one: DaemonSet) -> bool:
    rolling = one.spec.updateStrategy.rollingUpdate
    return bool(rolling and rolling.maxSurge and rolling.maxSurge != "0%")


def _joined(work: daemons.Work, update: daemons.Work) -> daemons.Work:
    """What both passes want, each pod and node once."""
    going = {pod.metadata.uid: pod for pod in (*work.delete, *update.delete)}
    failed = [pod for pod in work.failed if pod.metadata.uid not in going]
    return daemons.Work(
        create=list(dict.fromkeys((*work.create, *update.create))),
        delete=list(going.values()),
        failed=failed,
    )


def _pod_for(one: DaemonSet, node_name: str, mark: str) -> Pod:
    pod = pod_from(DAEMON_SET, one, one.spec.template)
    pod.metadata.labels = {**pod.metadata.labels, HASH_LABEL: mark}
    if generation := one.metadata.annotations.get(TEMPLATE_GENERATION):
        pod.metadata.labels[_GENERATION_LABEL] = generation
    daemons.bind_to(pod.spec, node_name)
    return pod


def _looks_other(old: Node | None, new: Node | None) -> bool:
    """Whether a node came, went, or changed what decides about its pods."""
    return old is None or new is None or _looks(old) != _looks(new)


def _looks(node: Node) -> tuple[object, ...]:
    return (node.metadata.labels, node.spec.taints, node.spec.unschedulable)
