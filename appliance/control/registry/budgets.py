"""Disruption budgets: whether a pod may be evicted now, and the count of those that may.

Called by eviction. The controller works out how many may go (`status.disruptionsAllowed`); each
eviction takes one off in one write, so that two at a time cannot both take the last.
Source: kubernetes `pkg/registry/core/pod/storage/eviction.go`.
"""

from appliance.api import errors, labels, objects
from appliance.api.errors import Cause, Details
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.policy.poddisruptionbudget import (
    POD_DISRUPTION_BUDGET,
    PodDisruptionBudget,
)
from appliance.api.meta import Condition
from appliance.client.base import clone
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.parts import Parts
from appliance.control.registry.updating import Rewrite, rewrite
from appliance.kit.clock import rfc3339

_AGAIN_S = 10
_UNCONFIRMED_MAX = 2000
"""Evictions that no controller has seen yet."""
_NOT_RUNNING = frozenset({"Succeeded", "Failed", "Pending"})


async def take_from_budget(parts: Parts, pod: Pod, call: Call) -> None:
    """Count an eviction of this pod.

    Raises:
        TooManyRequests: its budget does not allow one now.
        InternalError: there is more than one budget.
    """
    if pod.metadata.deletionTimestamp is not None or pod.status.phase in _NOT_RUNNING:
        return
    budgets = await _budgets_of(parts, pod)
    if len(budgets) > 1:
        raise errors.InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does"
            " not support."
        )
    for budget in budgets:
        if not _may_go_anyway(pod, budget):
            await _take(parts, budget.metadata.name, pod, call)


async def _budgets_of(parts: Parts, pod: Pod) -> list[PodDisruptionBudget]:
    cache = parts.storage.cache(POD_DISRUPTION_BUDGET)
    await cache.ready()
    return [
        item.obj
        for item in cache.items(pod.metadata.namespace)
        if labels.from_label_selector(item.obj.spec.selector).matches(pod.metadata.labels)
    ]


def _may_go_anyway(pod: Pod, budget: PodDisruptionBudget) -> bool:
    """A pod that is not ready disrupts nothing, at least where enough others are."""
    if objects.is_true(pod.status.conditions, "Ready"):
        return False
    if budget.spec.unhealthyPodEvictionPolicy == "AlwaysAllow":
        return True
    status = budget.status
    return status.currentHealthy >= status.desiredHealthy > 0


async def _take(parts: Parts, name: str, pod: Pod, call: Call) -> None:
    now = rfc3339(parts.clock.wall())

    def change(old: Stored[PodDisruptionBudget]) -> PodDisruptionBudget:
        _check(old.obj)
        made = clone(old.obj)
        status = made.status
        status.disruptionsAllowed -= 1
        status.disruptedPods = status.disruptedPods | {pod.metadata.name: now}
        if status.disruptionsAllowed == 0:
            none_left = Condition(
                type="DisruptionAllowed",
                status="False",
                reason="InsufficientPods",
                observedGeneration=status.observedGeneration,
                lastTransitionTime=now,
            )
            _ = objects.set_condition(status.conditions, none_left)
        return made

    wanted = Rewrite(
        kind=POD_DISRUPTION_BUDGET,
        namespace=pod.metadata.namespace,
        name=name,
        change=change,
        call=Call(user=call.user, dry_run=call.dry_run, field_manager="kube-apiserver"),
        subresource="status",
    )
    await rewrite(parts, wanted)


def _check(budget: PodDisruptionBudget) -> None:
    status, name = budget.status, budget.metadata.name
    if status.observedGeneration < budget.metadata.generation:
        why = f"The disruption budget {name} is still being processed by the server."
        raise _refused(why, again_s=_AGAIN_S)
    if status.disruptionsAllowed < 0 or len(status.disruptedPods) > _UNCONFIRMED_MAX:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        negative = "pdb disruptions allowed is negative"
        raise errors.Forbidden(negative if status.disruptionsAllowed < 0 else why)
    if status.disruptionsAllowed == 0:
        raise _refused(
            f"The disruption budget {name} needs {status.desiredHealthy} healthy pods and has"
            f" {status.currentHealthy} currently"
        )


def _refused(why: str, again_s: int = 0) -> errors.TooManyRequests:
    return errors.TooManyRequests(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        Details(causes=[Cause("DisruptionBudget", why, "")], retry_after_s=again_s),
    )
