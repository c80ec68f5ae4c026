"""Claims of a stateful set's pods: one of each template for each number, and who they go with.

A claim outlives its pod, so that the next pod of the number finds its data. With the retention
policy Delete it belongs to the set (`whenDeleted`) or, once its pod is scaled away, to that pod
(`whenScaled`), and the garbage collector does the rest.

Source: kubernetes `pkg/controller/statefulset/stateful_set_utils.go`; KEP-1847.
"""

from typing import Any

import msgspec

from appliance.api.errors import AlreadyExists
from appliance.api.kinds.apps.statefulset import STATEFUL_SET
from appliance.api.kinds.apps.statefulset_spec import StatefulSet
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.volumes import PersistentVolumeClaimVolumeSource, Volume
from appliance.api.meta import ObjectMeta, OwnerReference
from appliance.api.objects import owner_ref
from appliance.client.base import Client, clone
from appliance.client.informer import Informers


class StatefulClaims:
    """Claims of all stateful sets."""

    def __init__(self, client: Client, informers: Informers) -> None:
        self._client = client
        self.informer = informers.of(PERSISTENT_VOLUME_CLAIM)

    async def provide(self, owner: StatefulSet, number: int) -> None:
        """Make the claims of a number that are missing; let all belong to whom they should."""
        for template in owner.spec.volumeClaimTemplates:
            name = claim_name(owner, template, number)
            there = self.informer.cache.get(f"{owner.metadata.namespace}/{name}")
            if there is not None:
                await self._belong(there, _owners(owner))
                continue
            made = PersistentVolumeClaim(
                metadata=ObjectMeta(
                    name=name,
                    namespace=owner.metadata.namespace,
                    labels={**template.metadata.labels, **_labels(owner)},
                    annotations=template.metadata.annotations,
                    ownerReferences=_owners(owner),
                ),
                spec=clone(template.spec),
            )
            try:
                await self._client.create(
                    PERSISTENT_VOLUME_CLAIM, made, namespace=owner.metadata.namespace
                )
            except AlreadyExists:
                continue  # our cache is behind, or somebody made it by hand

    async def let_go(self, owner: StatefulSet, pod: Pod, number: int) -> None:
        """The pod is about to be scaled away: its claims may go with it."""
        policy = owner.spec.persistentVolumeClaimRetentionPolicy
        if policy is None or policy.whenScaled != "Delete":
            return
        for template in owner.spec.volumeClaimTemplates:
            name = claim_name(owner, template, number)
            there = self.informer.cache.get(f"{owner.metadata.namespace}/{name}")
            if there is not None:
                await self._belong(there, [owner_ref(POD, pod)])

    async def _belong(self, claim: PersistentVolumeClaim, refs: list[OwnerReference]) -> None:
        """Set who of a set and its pods owns a claim; other owners stay."""
        meta = claim.metadata
        ours = {POD.kind, STATEFUL_SET.kind}
        wanted = [ref for ref in meta.ownerReferences if ref.kind not in ours] + refs
        if {ref.uid for ref in wanted} == {ref.uid for ref in meta.ownerReferences}:
            return
        body: dict[str, Any] = {
            "metadata": {
                "resourceVersion": meta.resourceVersion,
                "ownerReferences": msgspec.to_builtins(wanted) or None,
            }
        }
        await self._client.patch(PERSISTENT_VOLUME_CLAIM, meta.name, body, namespace=meta.namespace)


def claim_name(owner: StatefulSet, template: PersistentVolumeClaim, number: int) -> str:
    """`data-web-0`: template, set, number."""
    return f"{template.metadata.name}-{owner.metadata.name}-{number}"


def mount(owner: StatefulSet, pod: Pod, number: int) -> None:
    """Let the pod's volumes of the templates' names be its claims."""
    claims = [
        Volume(
            name=template.metadata.name,
            persistentVolumeClaim=PersistentVolumeClaimVolumeSource(
                claimName=claim_name(owner, template, number)
            ),
        )
        for template in owner.spec.volumeClaimTemplates
    ]
    names = {volume.name for volume in claims}
    pod.spec.volumes = [*claims, *(v for v in pod.spec.volumes if v.name not in names)]


def _labels(owner: StatefulSet) -> dict[str, str]:
    return owner.spec.selector.matchLabels if owner.spec.selector else {}


def _owners(owner: StatefulSet) -> list[OwnerReference]:
    policy = owner.spec.persistentVolumeClaimRetentionPolicy
    if policy is None or policy.whenDeleted != "Delete":
        return []
    return [owner_ref(STATEFUL_SET, owner)]
