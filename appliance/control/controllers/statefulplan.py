"""Pure decisions about a stateful set: which numbered pods come and go now.

`statefulsets.py` carries them out. With OrderedReady one thing happens at a time, from the lowest
number up when pods come, from the highest down when they go or are replaced, and nothing while a
pod that is wanted is not available. Parallel does all at once, but replaces one at a time as well.

Source: kubernetes `pkg/controller/statefulset/stateful_set_control.go`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from appliance.api.kinds.apps.statefulset_spec import StatefulSet, StatefulSetStatus
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.controllers import podstate
from appliance.control.controllers.revisions import HASH_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """Hashes of the template that pods come from and of the one that they go to."""

    current: str
    update: str


@dataclass(slots=True)
class Work:
    """Numbers to make with their hash, pods to end, and when to look again."""

    create: dict[int, str] = field(default_factory=dict)
    delete: list[Pod] = field(default_factory=list)
    scaled_away: list[Pod] = field(default_factory=list)
    """Of `delete`, those that are not wanted any more: their claims may go, too."""
    again_in_s: float | None = None


def ordinal_of(owner: StatefulSet, pod: Pod) -> int:
    """The number in the pod's name; -1 if the name is not one of the set's."""
    prefix = f"{owner.metadata.name}-"
    number = pod.metadata.name.removeprefix(prefix)
    fits = pod.metadata.name.startswith(prefix) and number.isdecimal()
    return int(number) if fits and str(int(number)) == number else -1


def ordinals(owner: StatefulSet) -> range:
    """The numbers that are wanted."""
    start = owner.spec.ordinals.start if owner.spec.ordinals else 0
    wanted = 1 if owner.spec.replicas is None else owner.spec.replicas
    return range(start, start + wanted)


def is_ordered(owner: StatefulSet) -> bool:
    """Whether pods wait for one another."""
    return owner.spec.podManagementPolicy != "Parallel"


def plan(owner: StatefulSet, pods: Mapping[int, Pod], versions: Versions, now: float) -> Work:
    """What to do now; nothing more than that until it is seen."""
    work = Work()
    if _fill(owner, pods, versions, work, now=now) and is_ordered(owner):
        return work
    if _shrink(owner, pods, work) and is_ordered(owner):
        return work
    if not work.create and not work.delete:
        _update(owner, pods, versions, work, now=now)
    return work


def _fill(
    owner: StatefulSet, pods: Mapping[int, Pod], versions: Versions, work: Work, *, now: float
) -> bool:
    """Make what is missing and end what has ended; True while something is not as it should be."""
    waiting = False
    for number in ordinals(owner):
        pod = pods.get(number)
        if pod is None:
            work.create[number] = _version(owner, versions, number)
        elif podstate.has_ended(pod) and pod.metadata.deletionTimestamp is None:
            work.delete.append(pod)
        elif not _serves(owner, pod, now, work):
            pass
        else:
            continue
        waiting = True
        if is_ordered(owner):
            return True
    return waiting


def _version(owner: StatefulSet, versions: Versions, number: int) -> str:
    """Below the partition, pods are made as they were."""
    strategy = owner.spec.updateStrategy
    rolling = strategy.rollingUpdate
    partition = (rolling.partition or 0) if rolling else 0
    old = strategy.type == "RollingUpdate" and number < ordinals(owner).start + partition
    return versions.current if old else versions.update


def _serves(owner: StatefulSet, pod: Pod, now: float, work: Work) -> bool:
    """Whether it is available; if only time is missing, that is noted."""
    if pod.metadata.deletionTimestamp is not None or podstate.has_ended(pod):
        return False
    wait = podstate.available_in(pod, owner.spec.minReadySeconds, now)
    if wait:
        work.again_in_s = min(wait, work.again_in_s or wait)
    return wait == 0.0


def _shrink(owner: StatefulSet, pods: Mapping[int, Pod], work: Work) -> bool:
    """End pods that are not wanted, the highest number first; True while there are some."""
    wanted = ordinals(owner)
    surplus = [pods[number] for number in sorted(pods, reverse=True) if number not in wanted]
    for pod in surplus:
        if pod.metadata.deletionTimestamp is None:
            work.delete.append(pod)
            work.scaled_away.append(pod)
        if is_ordered(owner):
            break
    return bool(surplus)


def _update(
    owner: StatefulSet, pods: Mapping[int, Pod], versions: Versions, work: Work, *, now: float
) -> None:
    """Replace pods of an older template, from the highest number down."""
    strategy = owner.spec.updateStrategy
    if strategy.type != "RollingUpdate":
        return
    rolling = strategy.rollingUpdate
    partition = (rolling.partition or 0) if rolling else 0
    wanted = ordinals(owner)
    room = _room(rolling.maxUnavailable if rolling else None, len(wanted))
    for number in reversed(wanted[partition:]):
        pod = pods.get(number)
        if pod is None or pod.metadata.deletionTimestamp is not None:
            room -= 1
        elif pod.metadata.labels.get(HASH_LABEL) != versions.update:
            if room > 0:
                work.delete.append(pod)
            room -= 1
        elif not _serves(owner, pod, now, work):
            room -= 1
        if room <= 0:
            return


def _room(value: int | str | None, total: int) -> int:
    if isinstance(value, str):
        return max(1, math.floor(total * int(value.rstrip("%")) / 100))
    return max(1, value or 1)


def counted(
    owner: StatefulSet,
    pods: Sequence[Pod],
    versions: Versions,
    *,
    names: tuple[str, str],
    now: float,
) -> StatefulSetStatus:
    """The status; `names` are of the current and the update revision.

    When all pods are new and ready, what they go to is what they come from next time.
    """
    alive = [pod for pod in pods if not podstate.has_ended(pod)]
    staying = [pod for pod in alive if pod.metadata.deletionTimestamp is None]
    waits = [podstate.available_in(p, owner.spec.minReadySeconds, now) for p in staying]
    status = StatefulSetStatus(
        observedGeneration=owner.metadata.generation,
        replicas=len(alive),
        readyReplicas=sum(map(podstate.is_ready, alive)),
        availableReplicas=sum(wait == 0.0 for wait in waits),
        currentReplicas=_of_version(staying, versions.current),
        updatedReplicas=_of_version(staying, versions.update),
        currentRevision=names[0],
        updateRevision=names[1],
        collisionCount=owner.status.collisionCount,
        conditions=owner.status.conditions,
    )
    if owner.spec.updateStrategy.type == "RollingUpdate" and (
        status.updatedReplicas == status.replicas == status.readyReplicas
    ):
        status.currentRevision = status.updateRevision
        status.currentReplicas = status.updatedReplicas
    return status


def _of_version(pods: Sequence[Pod], mark: str) -> int:
    return sum(pod.metadata.labels.get(HASH_LABEL) == mark for pod in pods)
