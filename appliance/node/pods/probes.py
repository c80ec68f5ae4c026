"""Probes: pure thresholds, and the tasks that ask.

`Probes` belongs to one pod worker: after each look it is told which containers run; it keeps one
task per container and probe, writes what they find into the worker's memory, and rings the bell
when a verdict changes. Bound: three tasks per container.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.handlers import Probe
from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.node.events import PodEvents
from appliance.node.pods.checks import Checker, Outcome, Target
from appliance.node.pods.view import Health, Memory
from appliance.node.runtimes.base import Container

log = structlog.get_logger(__name__)

STARTUP = "Startup"
LIVENESS = "Liveness"
READINESS = "Readiness"


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes in a row, and the verdict that stands."""

    verdict: bool | None = None
    streak: int = 0
    last_ok: bool | None = None


def count(tally: Tally, probe: Probe, outcome: Outcome) -> Tally:
    """Take one outcome in: the verdict turns after enough equal ones in a row."""
    streak = tally.streak + 1 if outcome.ok == tally.last_ok else 1
    needed = (probe.successThreshold or 1) if outcome.ok else (probe.failureThreshold or 3)
    verdict = outcome.ok if streak >= needed else tally.verdict
    return Tally(verdict, streak, outcome.ok)


@dataclass(frozen=True, slots=True)
class Watched:
    """A running container whose probes should be running."""

    wish: ContainerWish
    container: Container


class Probes:
    """The probe tasks of one pod."""

    def __init__(
        self,
        *,
        checker: Checker,
        memory: Memory,
        tasks: Tasks,
        clock: Clock,
        events: PodEvents,
        ring: Callable[[], None],
    ) -> None:
        self._checker = checker
        self._memory = memory
        self._tasks = tasks
        self._clock = clock
        self._events = events
        self._ring = ring
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}

    def keep(self, pod: Pod, address: str, watched: Sequence[Watched]) -> None:
        """Ask these containers and no others."""
        wanted = {
            (one.container.id, kind): (one, probe)
            for one in watched
            for kind, probe in self._due(one)
        }
        for key in [k for k in self._running if k not in wanted]:
            self._running.pop(key).cancel()
        for key, (one, probe) in wanted.items():
            if key not in self._running:
                target = Target(one.container.id, one.wish, address)
                self._running[key] = self._tasks.spawn(
                    f"{key[1].lower()}/{one.wish.name}",
                    self._ask(pod, key[1], probe, one=one, target=target),
                )
        running = {one.container.id for one in watched}
        for gone in [c for c in self._memory.health if c not in running]:
            del self._memory.health[gone]

    def _due(self, one: Watched) -> list[tuple[str, Probe]]:
        """A startup probe holds the others back until it has succeeded."""
        wish = one.wish
        health = self._memory.health.get(one.container.id, Health())
        if wish.startupProbe is not None and health.started is not True:
            return [(STARTUP, wish.startupProbe)]
        others = ((LIVENESS, wish.livenessProbe), (READINESS, wish.readinessProbe))
        return [(kind, probe) for kind, probe in others if probe is not None]

    async def _ask(
        self, pod: Pod, kind: str, probe: Probe, *, one: Watched, target: Target
    ) -> None:
        first = one.container.started_at + probe.initialDelaySeconds
        await self._clock.sleep(first - self._clock.wall())
        tally = Tally()
        while True:
            outcome = await self._check(probe, target)
            if not outcome.ok:
                text = f"{kind} probe failed: {outcome.text}"
                self._events.warning(pod, "Unhealthy", text, one.wish.name)
            tally = count(tally, probe, outcome)
            if tally.verdict is not None:
                self._note(target.container_id, kind, verdict=tally.verdict)
            if kind == STARTUP and tally.verdict is not None:
                return
            await self._clock.sleep(probe.periodSeconds or 10)

    async def _check(self, probe: Probe, target: Target) -> Outcome:
        try:
            return await self._checker.check(probe, target, probe.timeoutSeconds or 1)
        except Exception as error:  # an odd answer is a bad one
            log.exception("probe failed oddly", container=target.wish.name)
            return Outcome(ok=False, text=f"{type(error).__name__}: {error}")

    def _note(self, container_id: str, kind: str, *, verdict: bool) -> None:
        before = self._memory.health.get(container_id, Health())
        if kind == STARTUP:
            after = replace(before, started=verdict)
        elif kind == LIVENESS:
            after = replace(before, live=verdict)
        else:
            after = replace(before, ready=verdict)
        if after != before:
            self._memory.health[container_id] = after
            self._ring()
