"""The loop that keeps the node alive: look what is left, say so, free what can be freed, put out
a pod.

Every `EVERY_S` a few files are read (`levels`); the engine is asked only under pressure. One pod
at a time is put out, and the next only when the one before has gone or `GOING_S` have passed: what
its end frees shall be seen first. Before pods have to go for disk, unused images and the dead
containers of pods that have ended do.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from appliance.api import taints
from appliance.api.kinds.core.node import NODE, Taint
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.qos import qos_class
from appliance.api.kinds.core.references import ObjectReference
from appliance.kit.clock import Clock
from appliance.node.events import NORMAL, WARNING, Recorder
from appliance.node.pods.workers import Workers
from appliance.node.pressure import ranking
from appliance.node.pressure.judge import RESOURCES, Judge
from appliance.node.pressure.levels import MEMORY, PIDS, Level
from appliance.node.pressure.ranking import Use
from appliance.node.pressure.thresholds import Threshold

log = structlog.get_logger(__name__)

EVERY_S = 10.0
GOING_S = 30.0
_WORDS = {
    "MemoryPressure": ("NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
    "DiskPressure": ("NodeHasDiskPressure", "NodeHasNoDiskPressure"),
    "PIDPressure": ("NodeHasInsufficientPID", "NodeHasSufficientPID"),
}
_MEMORY_TAINT = Taint(key="node.kubernetes.io/memory-pressure", effect=taints.NO_SCHEDULE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Whom the watch asks and tells."""

    read: Callable[[], Mapping[str, Level]]
    uses: Callable[[str], Awaitable[Sequence[Use]]]
    """Of a signal: what each pod takes of it."""
    reclaim: Callable[[], Awaitable[None]]
    """Remove whatever of images and dead containers nobody needs."""
    changed: Callable[[], None]
    """The node's conditions are others now."""


class PressureWatch:
    """Watches one node."""

    def __init__(
        self,
        workers: Callable[[], Workers],
        judge: Judge,
        doors: Doors,
        *,
        node_name: str,
        soft_grace_s: float,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._workers = workers
        self._judge = judge
        self._doors = doors
        self._soft_grace_s = soft_grace_s
        self._recorder = recorder
        self._clock = clock
        self._node = ObjectReference(
            kind=NODE.kind, apiVersion=NODE.api_version, name=node_name, uid=node_name
        )
        self._going: dict[str, float] = {}
        self.conditions: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY_S)

    async def look(self) -> None:
        """One tick."""
        levels = self._doors.read()
        verdict = self._judge.judge(levels, self._clock.monotonic())
        self._show(verdict.conditions)
        threshold = verdict.act_on
        if threshold is None:
            return
        text = f"Attempting to reclaim {RESOURCES[threshold.signal]}"
        self._recorder.record(self._node, WARNING, "EvictionThresholdMet", text)
        if threshold.signal not in {MEMORY, PIDS}:
            await self._doors.reclaim()
            levels = self._doors.read()
            if self._judge.judge(levels, self._clock.monotonic()).act_on is None:
                return
        if not self._somebody_is_going():
            await self._put_out(threshold, levels[threshold.signal])

    def refusal(self, pod: Pod) -> str:
        """Why a new pod is not taken while the node is under pressure; "" if it is."""
        if not self.conditions or ranking.is_critical(pod):
            return ""
        if self.conditions == {"MemoryPressure"} and (
            qos_class(pod.spec) != "BestEffort"
            or taints.is_tolerated(_MEMORY_TAINT, pod.spec.tolerations)
        ):
            return ""
        return f"The node had condition: [{' '.join(sorted(self.conditions))}]. "

    def _show(self, conditions: frozenset[str]) -> None:
        if conditions == self.conditions:
            return
        for name in sorted(conditions ^ self.conditions):
            reason = _WORDS[name][0 if name in conditions else 1]
            text = f"Node {self._node.name} status is now: {reason}"
            self._recorder.record(self._node, NORMAL, reason, text)
            log.warning("pressure", condition=name, begins=name in conditions)
        self.conditions = conditions
        self._doors.changed()

    def _somebody_is_going(self) -> bool:
        now = self._clock.monotonic()
        self._going = {
            uid: since
            for uid, since in self._going.items()
            if now - since < GOING_S and (w := self._workers().by_uid.get(uid)) and w.runs
        }
        return bool(self._going)

    async def _put_out(self, threshold: Threshold, level: Level) -> None:
        for use in ranking.ranked(await self._doors.uses(threshold.signal)):
            worker = self._workers().by_uid.get(use.pod.metadata.uid)
            if worker is None or not worker.lives:
                continue
            meta = use.pod.metadata
            log.warning("pod evicted", pod=f"{meta.namespace}/{meta.name}", short=threshold.signal)
            grace_s = 0.0 if threshold.hard else self._soft_grace_s
            worker.evict(ranking.message(use, threshold, level), grace_s=grace_s, disrupted=True)
            self._going[meta.uid] = self._clock.monotonic()
            return
        log.warning("nothing left to evict", short=threshold.signal)
