"""What looks after the node itself, put together: pressure, images, dead containers.

Called by `agent` once its workers are there. The loops look at files every ten seconds and at the
engine every five minutes; under pressure more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.node.events import Recorder
from appliance.node.images.collect import EVERY_S, ImageCollector
from appliance.node.options import NodeOptions
from appliance.node.pods.everyone import every_wish
from appliance.node.pods.workers import Workers
from appliance.node.pressure.judge import Judge
from appliance.node.pressure.levels import read_levels
from appliance.node.pressure.thresholds import parse_reclaim, parse_thresholds
from appliance.node.pressure.uses import Uses
from appliance.node.pressure.watch import Doors, PressureWatch
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Runtime, RuntimeFault, State
from appliance.node.stats.meter import Disk, Meter, disk_of
from appliance.node.volumes.mounter import Volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What the parts share."""

    options: NodeOptions
    runtime: Runtime
    image_root: str
    recorder: Recorder
    clock: Clock
    workers: Callable[[], Workers]
    volumes: Volumes


class Upkeep:
    """Keeps one node usable."""

    def __init__(self, node: Node, *, changed: Callable[[], None]) -> None:
        self._node = node
        options, upkeep = node.options, node.options.upkeep
        self.images = ImageCollector(
            node.runtime,
            node.clock,
            options.data_dir,
            disk=self._image_disk,
            wanted=self._wanted_images,
            high_percent=upkeep.image_gc_high_percent,
            low_percent=upkeep.image_gc_low_percent,
            minimum_age_s=upkeep.image_minimum_age_s,
        )
        thresholds = parse_thresholds(
            upkeep.eviction_hard, upkeep.eviction_soft, upkeep.eviction_soft_grace_period
        )
        judge = Judge(
            thresholds,
            parse_reclaim(upkeep.eviction_minimum_reclaim),
            upkeep.eviction_pressure_transition_s,
        )
        meter = Meter(
            node.runtime, node.clock, cluster_id=options.cluster_id, data_dir=options.data_dir
        )
        doors = Doors(
            read=lambda: read_levels(options.data_dir, node.image_root),
            uses=lambda signal: self._uses(meter).of(signal),
            reclaim=self._reclaim,
            changed=changed,
        )
        self.pressure = PressureWatch(
            node.workers,
            judge,
            doors,
            node_name=options.node_name,
            soft_grace_s=upkeep.eviction_max_pod_grace_period_s,
            recorder=node.recorder,
            clock=node.clock,
        )

    def start(self, tasks: Tasks) -> None:
        """Run beside the pods."""
        _ = tasks.forever("pressure", self.pressure.run)
        _ = tasks.forever("images", self.images.run)
        if self._node.options.upkeep.dead_at_all >= 0:
            _ = tasks.forever("dead containers", self._bury)

    def _uses(self, meter: Meter) -> Uses:
        node = self._node
        return Uses(
            node.workers(),
            node.runtime,
            meter=meter,
            volumes=node.volumes,
            cluster_id=node.options.cluster_id,
        )

    def _wanted_images(self) -> set[str]:
        pods = [worker.pod for worker in self._node.workers().by_uid.values() if worker.lives]
        return {wish.image for pod in pods for wish in every_wish(pod)}

    def _image_disk(self) -> Disk:
        root = self._node.image_root
        try:
            return disk_of(Path(root))
        except OSError:  # an engine that keeps its images out of sight
            return disk_of(self._node.options.data_dir)

    async def _reclaim(self) -> None:
        await self.remove_dead(0)
        await self.images.free()

    async def _bury(self) -> None:
        while True:
            await self._node.clock.sleep(EVERY_S)
            await self.remove_dead(self._node.options.upkeep.dead_at_all)

    async def remove_dead(self, most: int) -> None:
        """Of pods that have ended keep the newest so many dead containers; their logs go with the
        others. Those of pods that live are the count of their restarts and stay.
        """
        node = self._node
        seen = await node.runtime.list(marks.of_cluster(node.options.cluster_id))
        over = {uid for uid, worker in node.workers().by_uid.items() if not worker.lives}
        dead = [
            c for c in seen if c.state is State.EXITED and c.marks.get(marks.POD_UID, "") in over
        ]
        dead.sort(key=lambda c: c.finished_at)
        for container in dead[: max(0, len(dead) - most)]:
            try:
                await node.runtime.remove(container.id)
            except RuntimeFault:
                return  # the engine is busy with itself; the next look comes
