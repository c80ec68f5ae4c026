"""What a deployment's status says: numbers, and the conditions that `kubectl rollout` waits for.

Pure but for the clock. `Progressing` becomes False when nothing moved for
`progressDeadlineSeconds`; then nothing else happens, people decide.

Source: kubernetes `pkg/controller/deployment/progress.go`, `sync.go`.
"""

from collections.abc import Sequence

from appliance.api.kinds.apps.deployment import Deployment, DeploymentCondition, DeploymentStatus
from appliance.api.kinds.apps.replicaset import ReplicaSet
from appliance.api.objects import condition
from appliance.control.controllers import rollouts
from appliance.kit.clock import Clock, parse_rfc3339, rfc3339

AVAILABLE = "Available"
PROGRESSING = "Progressing"
FAILURE = "ReplicaFailure"
_DONE = "NewReplicaSetAvailable"
_STUCK = "ProgressDeadlineExceeded"
_PAUSED = "DeploymentPaused"


class Progress:
    """Makes statuses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def status(
        self,
        deployment: Deployment,
        *,
        limits: rollouts.Bounds,
        new: ReplicaSet | None,
        sets: Sequence[ReplicaSet],
    ) -> tuple[DeploymentStatus, float | None]:
        """The status as it should be, and when to look again because of the deadline."""
        status = rollouts.counted(deployment, new, sets)
        self._set(status, _available(limits, status))
        failure = _failure(new, sets)
        if failure is not None:
            self._set(status, failure)
        else:
            status.conditions = [c for c in status.conditions if c.type != FAILURE]
        if deployment.spec.paused:
            self._set(status, _progressing("Unknown", _PAUSED, "Deployment is paused"))
            return status, None
        return status, self._progress(deployment, status, new)

    def _progress(
        self, deployment: Deployment, status: DeploymentStatus, new: ReplicaSet | None
    ) -> float | None:
        deadline = deployment.spec.progressDeadlineSeconds
        if deadline is None:
            status.conditions = [c for c in status.conditions if c.type != PROGRESSING]
            return None
        before = condition(status.conditions, PROGRESSING)
        if before is not None and before.reason == _PAUSED:
            self._set(status, _progressing("Unknown", "DeploymentResumed", "Deployment is resumed"))
            before = condition(status.conditions, PROGRESSING)
        self._set_progress(deployment, status, new)
        now = condition(status.conditions, PROGRESSING)
        if now is None or now.reason in {_DONE, _STUCK}:
            return None
        left = self._left(status, deadline)
        if left <= 0:
            stuck = f"{_what(deployment, new)} has timed out progressing."
            self._set(status, _progressing("False", _STUCK, stuck))
            return None
        return left

    def _set_progress(
        self, deployment: Deployment, status: DeploymentStatus, new: ReplicaSet | None
    ) -> None:
        what = _what(deployment, new)
        before = condition(status.conditions, PROGRESSING)
        if rollouts.is_complete(deployment, status):
            done = _progressing("True", _DONE, f"{what} has successfully progressed.")
            self._set(status, done)
        elif before is None:
            created = f'Created new replica set "{new.metadata.name}"' if new else what
            self._set(status, _progressing("True", "NewReplicaSetCreated", created))
        elif before.reason == _DONE and status.replicas == status.updatedReplicas:
            return  # the rollout is over: that pods fail afterwards is no lack of progress
        elif before.reason == _DONE or rollouts.moves(deployment.status, status):
            moving = _progressing("True", "ReplicaSetUpdated", f"{what} is progressing.")
            self._set(status, moving, renew=True)

    def _left(self, status: DeploymentStatus, deadline_s: int) -> float:
        now = condition(status.conditions, PROGRESSING)
        since = now.lastUpdateTime if now else None
        begun = parse_rfc3339(since) if since else self._clock.wall()
        return begun + deadline_s - self._clock.wall()

    def _set(
        self, status: DeploymentStatus, new: DeploymentCondition, *, renew: bool = False
    ) -> None:
        """Put a condition where it was; times move when something changed, or with `renew`."""
        now = rfc3339(self._clock.wall())
        new.lastUpdateTime = new.lastTransitionTime = now
        before = condition(status.conditions, new.type)
        if before is None:
            status.conditions.append(new)
            return
        if before.status == new.status:
            new.lastTransitionTime = before.lastTransitionTime
            if before.reason == new.reason and not renew:
                return
        status.conditions = [new if c is before else c for c in status.conditions]


def _what(deployment: Deployment, new: ReplicaSet | None) -> str:
    if new is not None:
        return f'ReplicaSet "{new.metadata.name}"'
    return f'Deployment "{deployment.metadata.name}"'


def _available(limits: rollouts.Bounds, status: DeploymentStatus) -> DeploymentCondition:
    if status.availableReplicas >= limits.fewest:
        return DeploymentCondition(
            type=AVAILABLE,
            status="True",
            reason="MinimumReplicasAvailable",
            message="Deployment has minimum availability.",
        )
    return DeploymentCondition(
        type=AVAILABLE,
        status="False",
        reason="MinimumReplicasUnavailable",
        message="Deployment does not have minimum availability.",
    )


def _progressing(status: str, reason: str, message: str) -> DeploymentCondition:
    return DeploymentCondition(type=PROGRESSING, status=status, reason=reason, message=message)


def _failure(new: ReplicaSet | None, sets: Sequence[ReplicaSet]) -> DeploymentCondition | None:
    """What a replica set complains of, the newest first."""
    for one in ([new] if new else []) + [one for one in reversed(sets) if one is not new]:
        found = condition(one.status.conditions, FAILURE)
        if found is not None:
            return DeploymentCondition(
                type=FAILURE, status=found.status, reason=found.reason, message=found.message
            )
    return None
