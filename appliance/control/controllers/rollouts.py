"""Pure decisions of a rollout: how large each replica set may be now, and what the status says.

`deployments.py` carries them out. `sets` are a deployment's replica sets, oldest first; the newest
template's may be None. The numbers follow upstream to the letter, because people compute with them
(`maxSurge`, `maxUnavailable`).

Source: kubernetes `pkg/controller/deployment/{rolling,recreate,sync,progress}.go`,
`util/deployment_util.go`.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from appliance.api.kinds.apps.deployment import Deployment, DeploymentStatus
from appliance.api.kinds.apps.replicaset import ReplicaSet
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.schema import IntOrString
from appliance.client.base import clone

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so that no hash is a word
_HASH_LENGTH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Numbers of one deployment: `surge` pods too many, `missing` too few are allowed."""

    replicas: int
    surge: int
    missing: int

    @property
    def most(self) -> int:
        """How many pods there may be."""
        return self.replicas + self.surge if self.replicas else 0

    @property
    def fewest(self) -> int:
        """How many pods must be available."""
        return self.replicas - self.missing


def bounds(deployment: Deployment) -> Bounds:
    """Resolve percentages: surplus is rounded up, what is missing down; not both to zero."""
    wanted = replicas_of(deployment)
    rolling = deployment.spec.strategy.rollingUpdate
    if deployment.spec.strategy.type == "Recreate" or rolling is None:
        return Bounds(replicas=wanted, surge=0, missing=0)
    surge = _resolve(rolling.maxSurge, wanted, up=True)
    missing = _resolve(rolling.maxUnavailable, wanted, up=False)
    if not surge and not missing:
        missing = 1
    return Bounds(replicas=wanted, surge=surge, missing=min(missing, wanted))


def replicas_of(obj: Deployment | ReplicaSet) -> int:
    """`spec.replicas`, which is 1 unless said."""
    return 1 if obj.spec.replicas is None else obj.spec.replicas


def template_hash(template: PodTemplateSpec, collisions: int) -> str:
    """Names a replica set and marks its pods; the same template has the same hash."""
    data = msgspec.json.encode(template) + str(collisions or "").encode()
    digest = hashlib.sha256(data).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_HASH_LENGTH])


def plain_template(template: PodTemplateSpec) -> PodTemplateSpec:
    """The template without the mark that the deployment has put on it."""
    plain = clone(template)
    plain.metadata.labels = {k: v for k, v in plain.metadata.labels.items() if k != HASH_LABEL}
    return plain


def of_template(template: PodTemplateSpec, sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The oldest replica set that has this template."""
    wanted = plain_template(template)
    return next((one for one in sets if plain_template(one.spec.template) == wanted), None)


def revision_of(obj: Deployment | ReplicaSet) -> int:
    """Its number in the history; 0 if it has none."""
    text = obj.metadata.annotations.get(REVISION, "")
    return int(text) if text.isdigit() else 0


def new_size(limits: Bounds, new: ReplicaSet | None, sets: Sequence[ReplicaSet]) -> int:
    """How large the newest set may be now."""
    current = replicas_of(new) if new else 0
    if current >= limits.replicas:
        return limits.replicas
    room = limits.replicas + limits.surge - _sum(sets)
    return current + max(0, min(room, limits.replicas - current))


def old_sizes(limits: Bounds, new: ReplicaSet, old: Sequence[ReplicaSet]) -> dict[str, int]:
    """By how much old sets may shrink now: {name: new size} of those that change.

    First pods that are not available anyway, then as many as are more than must be.
    """
    waiting = replicas_of(new) - new.status.availableReplicas
    allowed = _sum([*old, new]) - limits.fewest - waiting
    if allowed <= 0:
        return {}
    sizes = {one.metadata.name: replicas_of(one) for one in old}
    for one in old:
        broken = max(0, min(allowed, sizes[one.metadata.name] - one.status.availableReplicas))
        sizes[one.metadata.name] -= broken
        allowed -= broken
    spare = sum(one.status.availableReplicas for one in (*old, new)) - limits.fewest
    spare = min(spare, allowed)
    for one in old:
        going = max(0, min(spare, sizes[one.metadata.name]))
        sizes[one.metadata.name] -= going
        spare -= going
    return {
        one.metadata.name: sizes[one.metadata.name]
        for one in old
        if sizes[one.metadata.name] != replicas_of(one)
    }


def is_scaled(deployment: Deployment, sets: Iterable[ReplicaSet]) -> bool:
    """Whether somebody changed the number of replicas since the sets were sized."""
    wanted = str(replicas_of(deployment))
    return any(
        one.metadata.annotations.get(DESIRED, wanted) != wanted for one in sets if replicas_of(one)
    )


def proportional(
    limits: Bounds, new: ReplicaSet | None, sets: Sequence[ReplicaSet]
) -> dict[str, int]:
    """Sizes of all sets after a change of the wanted number in the middle of a rollout."""
    active = [one for one in sets if replicas_of(one)]
    if len(active) <= 1:
        only = active[0] if active else new or (sets[-1] if sets else None)
        return {only.metadata.name: limits.replicas} if only else {}
    if new is not None and _is_saturated(limits, new):
        return {one.metadata.name: 0 for one in active if one is not new}
    spare = limits.most - _sum(active)
    return _spread(limits, active, spare)


def _spread(limits: Bounds, active: Sequence[ReplicaSet], spare: int) -> dict[str, int]:
    """Give or take `spare`, the larger set first; then the newer gets and the older loses."""
    age = {one.metadata.name: place if spare > 0 else -place for place, one in enumerate(active)}
    order = sorted(active, key=lambda o: (replicas_of(o), age[o.metadata.name]), reverse=True)
    sizes: dict[str, int] = {}
    left = spare
    for one in order:
        share = _share(limits, one) if spare else 0
        share = max(0, min(share, left)) if spare > 0 else min(0, max(share, left))
        sizes[one.metadata.name] = replicas_of(one) + share
        left -= share
    first = order[0].metadata.name
    sizes[first] = max(0, sizes[first] + left)
    return sizes


def _share(limits: Bounds, one: ReplicaSet) -> int:
    annotated = one.metadata.annotations.get(MAXIMUM, "")
    before = int(annotated) if annotated.isdigit() and int(annotated) else limits.replicas
    if not limits.replicas:
        return -replicas_of(one)
    exact = replicas_of(one) * (limits.replicas + limits.surge) / before
    return math.floor(exact + 0.5) - replicas_of(one)


def _is_saturated(limits: Bounds, new: ReplicaSet) -> bool:
    desired = new.metadata.annotations.get(DESIRED)
    return (
        replicas_of(new) == limits.replicas
        and desired == str(limits.replicas)
        and new.status.availableReplicas == limits.replicas
    )


def surplus_history(old: Sequence[ReplicaSet], limit: int | None) -> list[ReplicaSet]:
    """Old sets without pods that are more than the history keeps, the oldest revisions."""
    if limit is None:
        return []
    idle = [
        one
        for one in old
        if not replicas_of(one)
        and not one.status.replicas
        and one.metadata.generation <= one.status.observedGeneration
        and one.metadata.deletionTimestamp is None
    ]
    surplus = max(0, len(old) - limit)
    return sorted(idle, key=revision_of)[:surplus]


def counted(
    deployment: Deployment, new: ReplicaSet | None, sets: Sequence[ReplicaSet]
) -> DeploymentStatus:
    """The numbers of a status; conditions and collisions stay as they were."""
    available = sum(one.status.availableReplicas for one in sets)
    return DeploymentStatus(
        observedGeneration=deployment.metadata.generation,
        replicas=sum(one.status.replicas for one in sets),
        updatedReplicas=new.status.replicas if new else 0,
        readyReplicas=sum(one.status.readyReplicas for one in sets),
        availableReplicas=available,
        unavailableReplicas=max(0, _sum(sets) - available),
        conditions=clone(deployment.status).conditions,
        collisionCount=deployment.status.collisionCount,
    )


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether all pods are new, and all are there."""
    wanted = replicas_of(deployment)
    return status.updatedReplicas == status.replicas == status.availableReplicas == wanted


def moves(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    """Whether the rollout got further since the last status."""
    return (
        new.updatedReplicas > old.updatedReplicas
        or new.replicas - new.updatedReplicas < old.replicas - old.updatedReplicas
        or new.readyReplicas > old.readyReplicas
        or new.availableReplicas > old.availableReplicas
    )


def _sum(sets: Iterable[ReplicaSet]) -> int:
    return sum(replicas_of(one) for one in sets)


def _resolve(value: IntOrString | None, total: int, *, up: bool) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    exact = total * int(value.rstrip("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)
