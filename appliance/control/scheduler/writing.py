"""What the scheduler writes: bindings, conditions, nominations, and who is pushed out.

Called by `loop.py`, several at once, which lets the store commit them together. Each call is
complete by itself and may be repeated.
"""

from typing import Any

from appliance.api.errors import NotFound
from appliance.api.kinds.core.pod.kind import POD, Binding, Pod
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import ObjectMeta
from appliance.api.objects import condition
from appliance.client.base import Client, DeleteOptions, PatchType
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.control.scheduler.podinfo import PodInfo
from appliance.kit.clock import Clock, rfc3339


class Writer:
    """Carries out what was chosen."""

    def __init__(self, client: Client, *, clock: Clock, recorder: Recorder) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder

    async def bind(self, pod: Pod, node: str) -> bool:
        """Bind a pod to a node; false if it has gone meanwhile."""
        meta = pod.metadata
        # A sub-resource's body is of another kind than its resource; the protocol's type can't say.
        binding: Any = Binding(
            kind="Binding",
            apiVersion="v1",
            metadata=ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
            target=ObjectReference(kind="Node", name=node),
        )
        try:
            await self._client.create(
                POD, binding, namespace=meta.namespace, name=meta.name, subresource="binding"
            )
        except NotFound:
            return False
        self._recorder.record(
            reference(POD, pod),
            NORMAL,
            "Scheduled",
            f"Successfully assigned {meta.namespace}/{meta.name} to {node}",
        )
        return True

    async def unfit(self, pod: Pod, message: str, *, nominated: str) -> None:
        """Say on the pod why it has no node, and where room is being made for it."""
        self._recorder.record(reference(POD, pod), WARNING, "FailedScheduling", message)
        before = condition(pod.status.conditions, "PodScheduled")
        status: dict[str, Any] = {}
        if before is None or (before.status, before.message) != ("False", message):
            since = before.lastTransitionTime if before and before.status == "False" else None
            said = {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": message,
                "lastTransitionTime": since or rfc3339(self._clock.wall()),
            }
            status["conditions"] = [said]
        if pod.status.nominatedNodeName != nominated:
            status["nominatedNodeName"] = nominated or None
        if status:
            await self._patch_status(pod, status)

    async def push_out(self, victim: PodInfo, info: PodInfo, node: str) -> None:
        """Let a pod go for a more important one: it says why, and has its grace period."""
        pod = victim.pod
        if pod.metadata.deletionTimestamp is not None:
            return
        scheduler = info.pod.spec.schedulerName or "default-scheduler"
        said = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{scheduler}: preempting to accommodate a higher priority pod",
            "lastTransitionTime": rfc3339(self._clock.wall()),
        }
        await self._patch_status(pod, {"conditions": [said]})
        meta = pod.metadata
        try:
            await self._client.delete(
                POD, meta.name, namespace=meta.namespace, options=DeleteOptions(uid=meta.uid)
            )
        except NotFound:
            return
        message = f"Preempted by pod {info.uid} on node {node}"
        self._recorder.record(reference(POD, pod), NORMAL, "Preempted", message)

    async def withdraw(self, pod: Pod) -> None:
        """Room is no longer made for this one: a more important pod takes it."""
        await self._patch_status(pod, {"nominatedNodeName": None})

    async def _patch_status(self, pod: Pod, status: dict[str, Any]) -> None:
        meta = pod.metadata
        try:
            await self._client.patch(
                POD,
                meta.name,
                {"metadata": {"uid": meta.uid}, "status": status},
                namespace=meta.namespace,
                how=PatchType.STRATEGIC,
                subresource="status",
            )
        except NotFound:
            return  # it went meanwhile
