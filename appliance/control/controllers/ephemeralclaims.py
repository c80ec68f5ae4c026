"""Makes the claims of pods' own volumes (`ephemeral.volumeClaimTemplate`); the key is the pod.

A claim is named after pod and volume and owned by the pod: the garbage collector removes it when
the pod goes. A claim of that name that is not the pod's is left alone, and said so: the scheduler
and the node would not use it.
Source: kubernetes `pkg/controller/volume/ephemeral`.
"""

from collections.abc import Iterable, Sequence

from appliance.api.errors import AlreadyExists, ApiError, NotFound
from appliance.api.kinds.core.claim_spec import PersistentVolumeClaimTemplate
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.meta import ObjectMeta
from appliance.api.objects import controller_ref, is_controlled_by
from appliance.client.base import Client, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import WARNING, Recorder, reference
from appliance.client.informer import Informers

_ENDED = {"Succeeded", "Failed"}


class EphemeralClaims:
    """One claim for each such volume."""

    name = "ephemeral-volume"

    def __init__(self, client: Client, informers: Informers, *, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._pods = informers.of(POD)
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIM)

    def watches(self) -> Sequence[Watch]:
        """Pods with such volumes, and those whose claim is gone."""
        return [
            Watch(self._pods, _with_volumes),
            Watch(self._claims, self._owner, only=lambda _old, new: new is None),
        ]

    async def reconcile(self, key: str) -> Result:
        """Make what is missing."""
        pod = self._pods.cache.get(key)
        if pod is None or pod.metadata.deletionTimestamp is not None:
            return DONE
        if pod.status.phase in _ENDED:
            return DONE
        for volume in pod.spec.volumes:
            template = volume.ephemeral.volumeClaimTemplate if volume.ephemeral else None
            if template is not None:
                await self._provide(pod, f"{pod.metadata.name}-{volume.name}", template)
        return DONE

    async def _provide(self, pod: Pod, name: str, template: PersistentVolumeClaimTemplate) -> None:
        there = self._claims.cache.get(f"{pod.metadata.namespace}/{name}")
        if there is None:
            there = await self._make(pod, name, template)
        if there is not None and not is_controlled_by(there, pod):
            text = f"PVC {key_of(there)} was not created for pod {key_of(pod)} (pod is not owner)"
            self._warn(pod, text)

    async def _make(
        self, pod: Pod, name: str, template: PersistentVolumeClaimTemplate
    ) -> PersistentVolumeClaim | None:
        made = PersistentVolumeClaim(
            metadata=ObjectMeta(
                name=name,
                namespace=pod.metadata.namespace,
                labels=template.metadata.labels,
                annotations=template.metadata.annotations,
                ownerReferences=[controller_ref(POD, pod)],
            ),
            spec=clone(template.spec),
        )
        namespace = pod.metadata.namespace
        try:
            return await self._client.create(PERSISTENT_VOLUME_CLAIM, made, namespace=namespace)
        except AlreadyExists:
            return await self._found(name, namespace)
        except ApiError as error:
            self._warn(pod, f'create PVC "{namespace}/{name}": {error}')
            raise

    async def _found(self, name: str, namespace: str) -> PersistentVolumeClaim | None:
        try:
            return await self._client.get(PERSISTENT_VOLUME_CLAIM, name, namespace)
        except NotFound:
            return None  # it went a moment ago: its event brings the pod back

    def _warn(self, pod: Pod, message: str) -> None:
        self._recorder.record(reference(POD, pod), WARNING, "FailedBinding", message)

    def _owner(self, claim: PersistentVolumeClaim) -> Iterable[str]:
        for ref in claim.metadata.ownerReferences:
            if ref.controller and ref.kind == POD.kind:
                yield f"{claim.metadata.namespace}/{ref.name}"


def _with_volumes(pod: Pod) -> Iterable[str]:
    return [key_of(pod)] if any(volume.ephemeral for volume in pod.spec.volumes) else []
