"""Disruption budgets: how many pods of a set may be evicted now (`status.disruptionsAllowed`).

The key is the budget. Evictions take one off at the API server (`registry/budgets.py`) and leave
the pod's name in `disruptedPods`; a name goes when its pod does, or after UNCONFIRMED_S, when the
eviction is taken to have failed. What is worked out is `budgetplan.py`.
Source: Kubernetes documentation, "Specifying a Disruption Budget".
"""

from collections.abc import Iterable, Sequence
from typing import Any

from appliance.api.errors import NotFound
from appliance.api.kinds.apps.deployment import DEPLOYMENT
from appliance.api.kinds.apps.replicaset import REPLICA_SET
from appliance.api.kinds.apps.statefulset import STATEFUL_SET
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.replicationcontroller import REPLICATION_CONTROLLER
from appliance.api.kinds.policy.poddisruptionbudget import (
    POD_DISRUPTION_BUDGET,
    PodDisruptionBudget,
    PodDisruptionBudgetStatus,
)
from appliance.api.labels import from_label_selector
from appliance.api.meta import Condition, OwnerReference
from appliance.api.objects import controller_of, set_condition
from appliance.client.base import Client, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import WARNING, Recorder, reference
from appliance.client.informer import Informer, Informers
from appliance.control.controllers import budgetplan
from appliance.control.controllers.podstate import is_active, is_ready
from appliance.kit.clock import Clock, parse_rfc3339, rfc3339

UNCONFIRMED_S = 120.0
SCALABLE = (REPLICATION_CONTROLLER, REPLICA_SET, STATEFUL_SET, DEPLOYMENT)


class Disruptions:
    """Keeps the status of disruption budgets."""

    name = "disruptions"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._budgets = informers.of(POD_DISRUPTION_BUDGET)
        self._pods = informers.of(POD)
        self._owners: dict[tuple[str, str], Informer[Any]] = {
            (kind.api_version, kind.kind): informers.of(kind) for kind in SCALABLE
        }

    def watches(self) -> Sequence[Watch]:
        """Budgets, their pods, and the size of what owns those."""
        owners = [
            Watch(informer, self._in_namespace, only=_scaled) for informer in self._owners.values()
        ]
        return [
            Watch(self._budgets, lambda budget: (key_of(budget),)),
            Watch(self._pods, self._about),
            *owners,
        ]

    async def reconcile(self, key: str) -> Result:
        """Count, and write what changed; comes back when an eviction counts as failed."""
        budget = self._budgets.cache.get(key)
        if budget is None or budget.metadata.deletionTimestamp is not None:
            return DONE
        selector = from_label_selector(budget.spec.selector)
        pods = [
            pod
            for pod in self._pods.cache.list(budget.metadata.namespace)
            if selector.matches(pod.metadata.labels)
        ]
        disrupted, again_in_s = self._unconfirmed(budget, pods)
        healthy = sum(
            is_active(p) and is_ready(p) and p.metadata.name not in disrupted for p in pods
        )
        status = clone(budget.status)
        try:
            wanted = budgetplan.wanted(budget.spec, len(pods), self._scale(pods))
        except budgetplan.Unscalable as error:
            words = f"Failed to calculate the number of expected pods: {error}"
            about = reference(POD_DISRUPTION_BUDGET, budget)
            self._recorder.record(about, WARNING, "CalculateExpectedPodCountFailed", words)
            status.disruptionsAllowed = 0  # when in doubt nobody goes
            await self._write(budget, status, "SyncFailed", str(error))
            return DONE
        status.observedGeneration = budget.metadata.generation
        status.disruptedPods = disrupted
        status.disruptionsAllowed = budgetplan.allowed(wanted, healthy)
        status.currentHealthy = healthy
        status.desiredHealthy = wanted.healthy
        status.expectedPods = wanted.pods
        may = status.disruptionsAllowed > 0
        await self._write(budget, status, "SufficientPods" if may else "InsufficientPods")
        return Result(again_in_s=again_in_s)

    def _unconfirmed(
        self, budget: PodDisruptionBudget, pods: Sequence[Pod]
    ) -> tuple[dict[str, str], float | None]:
        """Evictions that were granted and are not to be seen yet, and when the next runs out."""
        there = {pod.metadata.name: pod for pod in pods}
        kept: dict[str, str] = {}
        next_s: float | None = None
        for name, since in budget.status.disruptedPods.items():
            pod = there.get(name)
            if pod is None or pod.metadata.deletionTimestamp is not None:
                continue
            left = parse_rfc3339(since) + UNCONFIRMED_S - self._clock.wall()
            if left > 0:
                kept[name] = since
                next_s = left if next_s is None else min(next_s, left)
        return kept, next_s

    def _scale(self, pods: Sequence[Pod]) -> budgetplan.Scale:
        """How many pods their controllers want together; asked for only where it matters."""

        def count() -> int:
            sizes: dict[str, int] = {}
            for pod in pods:
                ref = controller_of(pod)
                if ref is not None and ref.uid not in sizes:
                    self._size(pod, ref, sizes)
            return sum(sizes.values())

        return count

    def _size(self, pod: Pod, ref: OwnerReference, sizes: dict[str, int]) -> None:
        informer = self._owners.get((ref.apiVersion, ref.kind))
        if informer is None:
            raise budgetplan.Unscalable(f"{ref.kind}.{ref.apiVersion} does not implement scale")
        namespace = pod.metadata.namespace
        owner = informer.cache.get(f"{namespace}/{ref.name}")
        if owner is None or owner.metadata.uid != ref.uid:
            return
        above = controller_of(owner)  # a deployment's sets come and go, its size is what counts
        if above is not None and above.kind == DEPLOYMENT.kind:
            self._size(owner, above, sizes)
            sizes.setdefault(ref.uid, 0)
            return
        sizes[ref.uid] = 1 if owner.spec.replicas is None else owner.spec.replicas

    async def _write(
        self,
        budget: PodDisruptionBudget,
        status: PodDisruptionBudgetStatus,
        reason: str,
        message: str = "",
    ) -> None:
        said = Condition(
            type="DisruptionAllowed",
            status="True" if status.disruptionsAllowed > 0 else "False",
            reason=reason,
            message=message,
            observedGeneration=budget.metadata.generation,
            lastTransitionTime=rfc3339(self._clock.wall()),
        )
        _ = set_condition(status.conditions, said)
        if status == budget.status:
            return
        new = clone(budget)
        new.status = status
        try:
            await self._client.update(POD_DISRUPTION_BUDGET, new, subresource="status")
        except NotFound:
            return  # it went meanwhile

    def _about(self, pod: Pod) -> Iterable[str]:
        return [
            key_of(budget)
            for budget in self._budgets.cache.list(pod.metadata.namespace)
            if from_label_selector(budget.spec.selector).matches(pod.metadata.labels)
        ]

    def _in_namespace(self, owner: Any) -> Iterable[str]:
        return map(key_of, self._budgets.cache.list(owner.metadata.namespace))


def _scaled(old: Any, new: Any) -> bool:
    """Whether an owner came, went or changed its size."""
    return old is None or new is None or old.spec.replicas != new.spec.replicas
