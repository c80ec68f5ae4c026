"""Keep so many pods of one template: what replication controllers and replica sets have in common.

One pass: adopt and release by label, then create or delete the difference, then report. Pods of
an owner that is being deleted are left to the collector. `Flavour` says what differs.

Source: kubernetes `pkg/controller/replicaset` (which serves both kinds there, too).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from appliance.api.errors import ApiError
from appliance.api.kind import Kind, T
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.labels import Selector
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import Recorder
from appliance.client.informer import Informers
from appliance.control.controllers import replicas
from appliance.control.controllers.ownedpods import OwnedPods, is_terminating, pod_from, whole
from appliance.kit.clock import Clock, rfc3339

FAILURE = "ReplicaFailure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour(Generic[T]):
    """A kind of owner; its spec and status have replica sets' fields."""

    name: str
    kind: Kind[T]
    selector: Callable[[T], Selector]
    status: type[Any]
    condition: type[Any]


class Replicating(Generic[T]):
    """Makes pods from templates."""

    def __init__(
        self,
        flavour: Flavour[T],
        client: Client,
        informers: Informers,
        *,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        self.name = flavour.name
        self._flavour = flavour
        self._client = client
        self._clock = clock
        self._owners = informers.of(flavour.kind)
        self._pods = OwnedPods(client, informers, self._owners, recorder)

    def watches(self) -> Sequence[Watch]:
        """Owners themselves, and the owners of pods or those who might take them."""
        return [
            Watch(self._owners, lambda owner: [key_of(owner)]),
            Watch(self._pods.informer, self._pods.owners_of(self._flavour.selector)),
        ]

    async def reconcile(self, key: str) -> Result:
        """Bring the number of pods to what is wanted and report it."""
        owner = self._owners.cache.get(key)
        if owner is None:
            self._pods.forget(key)
            return DONE
        selector = self._flavour.selector(owner)
        failure: ApiError | None = None
        pods = self._pods.active(owner, selector)
        if owner.metadata.deletionTimestamp is None and self._pods.met(key):
            pods = await self._pods.claimed(key, owner, selector)
            failure = await self._scale(key, owner, pods)
        again = await self._report(owner, pods, failure)
        if failure is not None and not is_terminating(failure):
            raise failure
        return Result(again_in_s=again)

    async def _scale(self, key: str, owner: T, pods: list[Pod]) -> ApiError | None:
        """Create or delete the difference; returns the first refusal."""
        spec: Any = owner.spec  # type: ignore[attr-defined]  # Flavour: has the fields
        wanted = 1 if spec.replicas is None else spec.replicas
        missing = min(wanted - len(pods), replicas.BURST)
        if missing > 0:
            if spec.template is None:
                raise ValueError(f"{self._flavour.kind.kind} {key} has no template")
            made = [pod_from(self._flavour.kind, owner, spec.template) for _ in range(missing)]
            return await self._pods.create(key, owner, made)
        surplus = min(len(pods) - wanted, replicas.BURST)
        if surplus > 0:
            return await self._pods.delete(key, owner, replicas.victims(pods, surplus))
        return None

    async def _report(self, owner: T, pods: list[Pod], failure: ApiError | None) -> float | None:
        """Write the status if it changed; returns when it will change by time alone."""
        spec: Any = owner.spec  # type: ignore[attr-defined]
        before: Any = owner.status  # type: ignore[attr-defined]
        now = self._clock.wall()
        seen = replicas.counts(
            pods,
            spec.template.metadata.labels if spec.template else {},
            min_ready_s=spec.minReadySeconds,
            now=now,
        )
        status = self._flavour.status(
            replicas=seen.replicas,
            fullyLabeledReplicas=seen.labelled,
            readyReplicas=seen.ready,
            availableReplicas=seen.available,
            observedGeneration=owner.metadata.generation,
            conditions=self._conditions(owner, failure, now),
        )
        if status != before:
            # A patch without a revision: it can't lose a race, and the newest count wins anyway.
            await self._client.patch(
                self._flavour.kind,
                owner.metadata.name,
                {"status": whole(status)},
                namespace=owner.metadata.namespace,
                subresource="status",
            )
        return seen.changes_in_s

    def _conditions(self, owner: T, failure: ApiError | None, now: float) -> list[Any]:
        spec: Any = owner.spec  # type: ignore[attr-defined]
        status: Any = owner.status  # type: ignore[attr-defined]
        others = [c for c in status.conditions if c.type != FAILURE]
        if failure is None or is_terminating(failure):
            return others
        before = next((c for c in status.conditions if c.type == FAILURE), None)
        condition = self._flavour.condition(
            type=FAILURE,
            status="True",
            reason="FailedDelete" if status.replicas > (spec.replicas or 0) else "FailedCreate",
            message=failure.message,
            lastTransitionTime=before.lastTransitionTime if before else rfc3339(now),
        )
        return [*others, condition]
