"""Claims that ask for more than they have; the key is the claim.

Admission lets a claim ask for more only where its class allows it. A folder grows by saying so:
nobody enforces its size, so volume and claim are given the new number. Of volumes that others
made, those others are told.
Source: kubernetes `pkg/controller/volume/expand`.
"""

from collections.abc import Sequence

from appliance.api import localpath, quantity
from appliance.api import volumebinding as binding
from appliance.api.kinds.core.claim_rules import quantity_text
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers.claimbinder import patch

_EXTERNAL = "waiting for an external controller to expand this PVC"


class ClaimGrowth:
    """Gives folders their new size."""

    name = "persistentvolume-expander"

    def __init__(self, client: Client, informers: Informers, *, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIM)
        self._volumes = informers.of(PERSISTENT_VOLUME)

    def watches(self) -> Sequence[Watch]:
        """Claims that want more than they have."""
        return [
            Watch(self._claims, lambda claim: [key_of(claim)], only=_wants_more),
            Watch(self._volumes, lambda _: ()),
        ]

    async def reconcile(self, key: str) -> Result:
        """Let one grow."""
        claim = self._claims.cache.get(key)
        if claim is None or not _wants_more(None, claim):
            return DONE
        volume = self._volumes.cache.get(claim.spec.volumeName)
        if volume is None or not binding.is_for(volume, claim):
            return DONE
        if not localpath.path_of(volume):
            self._tell(claim, "ExternalExpanding", _EXTERNAL)
            return DONE
        wanted = {"storage": quantity_text(claim.spec)}
        await self._enlarge(volume, claim, wanted)
        body = {"status": {"capacity": wanted}}
        await patch(self._client, PERSISTENT_VOLUME_CLAIM, claim, body, subresource="status")
        text = f"ExpandVolume succeeded for volume {key_of(claim)}"
        self._tell(claim, "VolumeResizeSuccessful", text)
        return DONE

    async def _enlarge(
        self, volume: PersistentVolume, claim: PersistentVolumeClaim, wanted: dict[str, str]
    ) -> None:
        if binding.room_of(volume) < binding.size_of(claim):
            await patch(self._client, PERSISTENT_VOLUME, volume, {"spec": {"capacity": wanted}})

    def _tell(self, claim: PersistentVolumeClaim, reason: str, message: str) -> None:
        about = reference(PERSISTENT_VOLUME_CLAIM, claim)
        self._recorder.record(about, NORMAL, reason, message)


def _wants_more(_old: object, claim: PersistentVolumeClaim | None) -> bool:
    if claim is None or claim.status.phase != binding.BOUND or not claim.status.capacity:
        return False
    return quantity.read(claim.status.capacity.get("storage", "0")) < binding.size_of(claim)
