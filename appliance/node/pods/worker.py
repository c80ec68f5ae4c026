"""One pod's worker: look, plan, report, act; again until there is nothing to do; then wait.

`Workers` makes one per pod uid and ends it when the pod is gone. A worker is woken by the engine's
events, a new wish, a probe's verdict, the end of something that went on beside it, or a deadline;
it never asks why it was woken.
"""

from collections.abc import Sequence

import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.client.base import clone
from appliance.kit.backoff import Backoff
from appliance.kit.tasks import Tasks
from appliance.node.pods import actions as do
from appliance.node.pods.bell import Bell
from appliance.node.pods.conditions import disruption
from appliance.node.pods.early import EarlyEvents
from appliance.node.pods.everyone import every_status, every_wish
from appliance.node.pods.execute import Hands, Parts
from appliance.node.pods.last_words import LastWords
from appliance.node.pods.outcome import TERMINAL
from appliance.node.pods.plan import Plan, plan
from appliance.node.pods.probes import Probes, Watched
from appliance.node.pods.status import Place, status
from appliance.node.pods.view import Ending, Health, Memory, View, sort_out
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, NotThere, State

log = structlog.get_logger(__name__)

ROUNDS_MAX = 50
"""Looks in a row; more would be a plan that does not come to rest."""
PAUSES = Backoff(base_s=0.5, maximum_s=30.0)
LEAVE_CONTAINERS = (
    do.SetUpVolumes,
    do.AttachNetwork,
    do.DetachNetwork,
    do.FetchImage,
    do.StopContainer,
)
"""Actions after which the containers are as they were, as far as one's own hands go."""


class Worker:
    """Brings one pod to where it should be and keeps it there."""

    def __init__(
        self,
        pod: Pod,
        parts: Parts,
        tasks: Tasks,
        *,
        early: EarlyEvents,
        remembered: bool = False,
    ) -> None:
        self._pod = pod
        self._remembered = remembered
        """The wish comes from disk: its status is old, so nothing is reported yet."""
        self._parts = parts
        self._ending: Ending | None = None
        self._memory = Memory(last=pod.status)
        self._early = early
        self._adopting = True
        self._gone = False
        self._failures = 0
        self._refresh = False
        self._backing_off: dict[str, str] = {}
        self.container_ids: frozenset[str] = frozenset()
        """Of the last look: whose events are for this worker."""
        self._words = LastWords(parts.runtime, parts.volumes)
        self._bell = Bell(tasks, parts.clock)
        self._hands = Hands(parts, self._memory, tasks=tasks, ring=self._bell.ring)
        self._probes = Probes(
            checker=parts.checker,
            memory=self._memory,
            tasks=tasks,
            clock=parts.clock,
            events=parts.events,
            ring=self._bell.ring,
        )

    @property
    def pod(self) -> Pod:
        """The wish as last heard."""
        return self._pod

    @property
    def was_deleted(self) -> bool:
        """Whether the API asked for its end, as opposed to: it left the list."""
        return self._ending is not None and self._ending.confirm

    @property
    def memory(self) -> Memory:
        """For the node's own API: addresses, the last status."""
        return self._memory

    def wish(self, pod: Pod, ending: Ending | None, *, remembered: bool = False) -> None:
        """The newest wish; an ending can't be taken back, only be made sooner.

        Most wishes say nothing new: each status that any pod of the node reports comes back in a
        snapshot of them all. Only a change that matters wakes the worker.
        """
        matters = _matters(self._pod, pod) or ending != self._ending
        if _shows_itself(self._pod, pod):
            self._refresh = True
        self._pod = pod
        if self._remembered and not remembered:
            self._remembered = False
            self._memory.last = pod.status
            self._adopting = matters = True
        if ending is not None:
            self._ending = ending
        if matters:
            self._bell.ring()

    def drop(self, ending: Ending) -> None:
        """Nobody wants the pod any more; an ending that has begun goes on."""
        if self._ending is None:
            self._ending = ending
            self._bell.ring()

    @property
    def lives(self) -> bool:
        """Whether it is neither over nor on its way out."""
        return self._ending is None and self._memory.last.phase not in TERMINAL

    @property
    def runs(self) -> bool:
        """Whether the last look saw a container run."""
        return any(one.state.running is not None for one in every_status(self._memory.last))

    def evict(self, message: str, *, grace_s: float | None = None, disrupted: bool = False) -> None:
        """End the pod for good: it has failed; whoever wants another makes one. `grace_s` is the
        most that it gets to end; `disrupted` says that it was not its own fault.
        """
        if not self.lives:
            return
        self._parts.events.warning(self._pod, "Evicted", message)
        last = clone(self._memory.last)
        last.phase, last.reason, last.message = "Failed", "Evicted", message
        if disrupted:
            last.conditions.append(disruption(message, self._parts.clock.wall()))
        self._memory.grace_s = grace_s
        self._memory.last = last
        self._parts.reports.report(self._pod, last)
        self._bell.ring()

    def ring(self) -> None:
        """Look again."""
        self._bell.ring()

    def refresh(self) -> None:
        """Look again, and bring changed ConfigMaps and Secrets into the volumes."""
        self._refresh = True
        self._bell.ring()

    async def run(self) -> None:
        """Work until the pod is gone from this node."""
        while not self._gone:
            try:
                await self._come_to_rest()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - the top of the loop: anything is tried again
                self._failures += 1
                pause = PAUSES.delay(self._failures)
                meta = self._pod.metadata
                log.warning(
                    "pod not in step",
                    pod=f"{meta.namespace}/{meta.name}",
                    error=f"{type(error).__name__}: {error}",
                    again_in_s=pause,
                )
                self._bell.ring_at(self._parts.clock.wall() + pause)
            if not self._gone:
                await self._bell.wait()

    async def _come_to_rest(self) -> None:
        if self._refresh:
            self._refresh = False
            if self._memory.volumes_ready and self._ending is None:
                await self._hands.refresh_volumes(self._pod)
        seen: list[Container] | None = None
        for _ in range(ROUNDS_MAX):
            if seen is None:
                seen = await self._look()
            view = await self._view(seen)
            now = self._parts.clock.wall()
            decision = plan(view, now)
            if not _is_about_to_attach(decision):
                self._report(view, decision, now)
            self._watch_probes(view)
            if decision.wake_at is not None:
                self._bell.ring_at(decision.wake_at)
            if not decision.actions:
                return
            seen = await self._act(decision.actions, seen)
            if self._gone:
                return
        raise RuntimeError(f"the plan did not come to rest in {ROUNDS_MAX} rounds")

    async def _look(self) -> list[Container]:
        options = self._parts.options
        seen = await self._parts.runtime.list(
            marks.of_pod(options.cluster_id, self._pod.metadata.uid)
        )
        self._recognise(seen)
        self.container_ids = frozenset(c.id for c in seen)
        return list(seen)

    def _recognise(self, seen: Sequence[Container]) -> None:
        """What was heard of new ones before they were seen may be newer than what was seen."""
        for container in seen:
            if container.id in self.container_ids:
                continue
            if self._early.has_ended(container.id) and container.state is State.RUNNING:
                self._bell.ring()

    async def _view(self, seen: Sequence[Container]) -> View:
        sandboxes, containers = sort_out(seen)
        if self._adopting:
            self._adopt(seen)
        return View(
            pod=self._pod,
            memory=self._memory,
            ending=self._ending,
            sandboxes=sandboxes,
            containers=containers,
            messages=await self._words.of(self._pod, seen),
            dead_kept=self._parts.options.upkeep.dead_per_container,
        )

    def _adopt(self, seen: Sequence[Container]) -> None:
        """After an agent restart: what the last status said of a running container still holds
        until its probes say otherwise.
        """
        self._adopting = False
        said = {
            s.containerID.partition("://")[2]: s
            for s in (
                *self._memory.last.containerStatuses,
                *self._memory.last.initContainerStatuses,
            )
        }
        for container in seen:
            before = said.get(container.id)
            if before is None or container.state is not State.RUNNING:
                continue
            self._memory.health.setdefault(
                container.id,
                Health(
                    started=True if before.started else None,
                    ready=True if before.ready else None,
                ),
            )

    def _report(self, view: View, decision: Plan, now: float) -> None:
        place = Place(self._parts.options.node_ip, self._parts.engine)
        made = status(view, decision, place, now)
        self._note_back_offs(decision)
        if made != self._memory.last:
            self._memory.last = made
            if not self._remembered:
                self._parts.reports.report(self._pod, made)

    def _note_back_offs(self, decision: Plan) -> None:
        """One event each time a container begins to wait for its next try."""
        events, meta = self._parts.events, self._pod.metadata
        waits = {name: wait.reason for name, wait in decision.waiting.items()}
        for name, reason in waits.items():
            if self._backing_off.get(name) == reason:
                continue
            if reason == "CrashLoopBackOff":
                where = f"{meta.name}_{meta.namespace}({meta.uid})"
                text = f"Back-off restarting failed container {name} in pod {where}"
                events.warning(self._pod, "BackOff", text, name)
            elif reason == "ImagePullBackOff":
                image = next(w.image for w in every_wish(self._pod) if w.name == name)
                events.normal(self._pod, "BackOff", f'Back-off pulling image "{image}"', name)
        self._backing_off = waits

    def _watch_probes(self, view: View) -> None:
        watched = [
            Watched(wish, newest)
            for wish in every_wish(self._pod)
            if (newest := view.newest(wish.name)) is not None
            and newest.state is State.RUNNING
            and newest.id not in self._memory.stopping
            and newest.id not in self._memory.hooks
        ]
        self._probes.keep(self._pod, self._memory.address, watched)

    async def _act(
        self, actions: Sequence[do.Action], seen: list[Container]
    ) -> list[Container] | None:
        """Carry out; gives what is seen now, or None where that takes a whole look."""
        known: list[Container] | None = seen
        for action in actions:
            started = await self._hands.carry_out(action, self._pod)
            if isinstance(action, do.TearDown):
                self._gone = True
            if started and known is not None:
                known = await self._with(started, known)
            elif not isinstance(action, LEAVE_CONTAINERS):
                known = None
        return known

    async def _with(self, started: str, known: list[Container]) -> list[Container] | None:
        """Containers of one's own making are looked at alone: a list costs the engine more."""
        try:
            new = await self._parts.runtime.inspect(started)
        except NotThere:
            return None
        self._recognise([new])
        self.container_ids |= {started}
        return [*known, new]


def _matters(old: Pod, new: Pod) -> bool:
    """Whether anything changed but a status that is our own."""
    if old is new:
        return False
    was, now = old.metadata, new.metadata
    if (was.labels, was.annotations) != (now.labels, now.annotations) or old.spec != new.spec:
        return True
    return bool(new.spec.readinessGates) and old.status.conditions != new.status.conditions


def _shows_itself(old: Pod, new: Pod) -> bool:
    """Whether labels or annotations changed that a volume may show."""
    was, now = old.metadata, new.metadata
    changed = (was.labels, was.annotations) != (now.labels, now.annotations)
    return changed and any(v.downwardAPI or v.projected for v in new.spec.volumes)


def _is_about_to_attach(decision: Plan) -> bool:
    """The pod's address is known in a moment; after an agent restart it is only unknown to us,
    and saying that the pod has none would be a lie.
    """
    return bool(decision.actions) and all(
        isinstance(action, do.AttachNetwork) for action in decision.actions
    )
