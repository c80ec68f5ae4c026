"""Sub-resources of pods that are posted: binding (to a node, exactly once) and eviction.

Source: kubernetes `pkg/registry/core/pod/storage/{storage,eviction}.go`.
"""

from typing import Any

from appliance.api import errors, faults, objects
from appliance.api.errors import Cause
from appliance.api.kinds.core.pod.kind import POD, Binding, Pod
from appliance.api.kinds.core.pod.status import PodCondition
from appliance.api.kinds.policy.eviction import Eviction
from appliance.api.meta import DeleteOptions
from appliance.client.base import clone
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.budgets import take_from_budget
from appliance.control.registry.deleting import delete
from appliance.control.registry.parts import Parts
from appliance.control.registry.refusals import Unclassified
from appliance.control.registry.updating import Rewrite, rewrite
from appliance.kit.clock import rfc3339


async def bind(parts: Parts, binding: Binding, *, namespace: str, name: str, call: Call) -> None:
    """Give a pod to a node.

    Raises:
        NotFound: there is no such pod.
        Conflict: it is on a node already, or goes away.
    """
    if binding.metadata.name != name:
        raise errors.BadRequest("name in URL does not match name in Binding object")
    if causes := _faults(binding):
        raise Unclassified(", ".join(f"{c.field}: {c.message}" for c in causes))
    now = rfc3339(parts.clock.wall())

    def change(old: Stored[Pod]) -> Pod:
        pod = clone(old.obj)
        if why := _why_not(pod, binding):
            raise errors.conflict("pods/binding", "", name, why)
        pod.spec.nodeName = binding.target.name
        pod.metadata.annotations |= binding.metadata.annotations
        objects.set_condition(
            pod.status.conditions,
            PodCondition(type="PodScheduled", status="True", lastTransitionTime=now),
        )
        return pod

    await rewrite(
        parts,
        Rewrite(kind=POD, namespace=namespace, name=name, change=change, call=call, plain=True),
    )


async def evict(parts: Parts, eviction: Eviction, *, namespace: str, name: str, call: Call) -> None:
    """Delete a pod by way of eviction, if its budget allows; it is told so by a condition."""
    if eviction.metadata.name not in ("", name):
        raise errors.BadRequest("name in URL does not match name in Eviction object")
    now = rfc3339(parts.clock.wall())
    found = await parts.storage.get(POD, namespace, name)
    if found is None:
        raise errors.not_found(POD.plural, POD.group, name)
    await take_from_budget(parts, found.obj, call)

    def change(old: Stored[Pod]) -> Pod:
        pod = clone(old.obj)
        objects.set_condition(
            pod.status.conditions,
            PodCondition(
                type="DisruptionTarget",
                status="True",
                reason="EvictionByEvictionAPI",
                message="Eviction API: evicting",
                lastTransitionTime=now,
            ),
        )
        return pod

    wanted = Rewrite(kind=POD, namespace=namespace, name=name, change=change, call=call, plain=True)
    await rewrite(parts, wanted)
    await delete(
        parts,
        POD,
        namespace=namespace,
        name=name,
        options=eviction.deleteOptions or DeleteOptions(),
        call=call,
    )


def _faults(binding: Binding) -> list[Cause]:
    target, found = binding.target, []
    if target.kind not in ("", "Node"):
        shown = (
            f'Unsupported value: {faults.show(target.kind)}: supported values: "Node", "<empty>"'
        )
        found.append(Cause("FieldValueNotSupported", shown, "target.kind"))
    if not target.name:
        found.append(faults.required("target.name"))
    return found


def _why_not(pod: Pod, binding: Binding) -> str:
    meta: Any = pod.metadata
    if binding.metadata.uid not in ("", meta.uid):
        return (
            f"Precondition failed: UID in precondition: {binding.metadata.uid}, "
            f"UID in object meta: {meta.uid}"
        )
    if meta.deletionTimestamp is not None:
        return f"pod {meta.name} is being deleted, cannot be assigned to a host"
    if pod.spec.nodeName:
        return f'pod {meta.name} is already assigned to node "{pod.spec.nodeName}"'
    if pod.spec.schedulingGates:
        return f"pod {meta.name} has non-empty .spec.schedulingGates"
    return ""
