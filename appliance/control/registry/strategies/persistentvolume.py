"""Persistent volumes: the server notes when the phase changes."""

from typing_extensions import override

from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.control.registry.strategy import Strategy
from appliance.kit.clock import Clock, rfc3339


class VolumeStrategy(Strategy):
    """A writer of the phase may say when it changed; where it does not, it was now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @override
    async def allocate(
        self, new: PersistentVolume, old: PersistentVolume | None, *, dry_run: bool
    ) -> None:
        if old is None:
            return
        now, before = new.status, old.status
        if now.lastPhaseTransitionTime is None:
            now.lastPhaseTransitionTime = before.lastPhaseTransitionTime
        if now.phase != before.phase and (
            now.lastPhaseTransitionTime == before.lastPhaseTransitionTime
        ):
            now.lastPhaseTransitionTime = rfc3339(self._clock.wall())
