"""ReplicationController: keep `spec.replicas` pods that match the selector.

One pass: adopt and release by label, then create or delete the difference, then report. What it
wrote but does not see yet holds it back (`client.expectations`), so a slow watch never makes it
create twice. Pods of an owner that is being deleted are left to the collector.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from appliance.api.errors import ApiError, Conflict, Forbidden, NotFound
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
    ReplicationControllerCondition,
    ReplicationControllerStatus,
)
from appliance.api.meta import ObjectMeta, OwnerReference
from appliance.api.objects import controller_of, controller_ref
from appliance.client.base import Client, DeleteOptions, clone
from appliance.client.cache import key_of, split_key
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.expectations import Expectations
from appliance.client.informer import Informers
from appliance.control.controllers import podstate, replicas
from appliance.kit.clock import Clock, rfc3339

FAILURE = "ReplicaFailure"


class Replication:
    """Makes pods from templates."""

    name = "replication"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._owners = informers.of(REPLICATION_CONTROLLER)
        self._pods = informers.of(POD)
        self._pods.add_indexers({podstate.BY_CONTROLLER: podstate.controller_index})
        self._expected = Expectations(self._pods)

    def watches(self) -> Sequence[Watch]:
        """Owners themselves, and the owners of pods or those who might take them."""
        return [
            Watch(self._owners, lambda rc: [key_of(rc)]),
            Watch(self._pods, self._owners_of),
        ]

    async def reconcile(self, key: str) -> Result:
        """Bring the number of pods to what is wanted and report it."""
        rc = self._owners.cache.get(key)
        if rc is None:
            self._expected.forget(key)
            return DONE
        failure: ApiError | None = None
        pods = list(self._claims(rc).mine)
        if rc.metadata.deletionTimestamp is None and self._expected.met(key):
            pods = await self._claimed(key, rc)
            failure = await self._scale(key, rc, pods)
        again = await self._report(rc, pods, failure)
        if failure is not None and not _is_terminating(failure):
            raise failure
        return Result(again_in_s=again)

    def _owners_of(self, pod: Pod) -> Iterable[str]:
        ref = controller_of(pod)
        if ref is not None:
            if ref.kind == REPLICATION_CONTROLLER.kind and ref.apiVersion == "v1":
                yield f"{pod.metadata.namespace}/{ref.name}"
            return
        for rc in self._owners.cache.list(pod.metadata.namespace):
            if podstate.matches(rc.spec.selector, pod.metadata.labels):
                yield key_of(rc)

    def _claims(self, rc: ReplicationController) -> replicas.Claims:
        cache = self._pods.cache
        orphans = podstate.ORPHANS + rc.metadata.namespace
        pods = (
            *cache.by_index(podstate.BY_CONTROLLER, rc.metadata.uid),
            *cache.by_index(podstate.BY_CONTROLLER, orphans),
        )
        return replicas.claims(rc.metadata.uid, rc.spec.selector, pods)

    async def _claimed(self, key: str, rc: ReplicationController) -> list[Pod]:
        """Adopt and release; returns the pods that are then ours."""
        found = self._claims(rc)
        mine = list(found.mine)
        if found.adopt:
            namespace, name = split_key(key)
            fresh = await self._client.get(REPLICATION_CONTROLLER, name, namespace)
            # Our cache may be behind: an owner that is going, or another of the same name,
            # must not take pods.
            same = fresh.metadata.uid == rc.metadata.uid
            if not same or fresh.metadata.deletionTimestamp is not None:
                raise Conflict(f"{key} has been deleted meanwhile; its pods are not adopted")
        for pod in found.adopt:
            refs = [*pod.metadata.ownerReferences, controller_ref(REPLICATION_CONTROLLER, rc)]
            mine.append(await self._set_owners(key, pod, refs))
        for pod in found.release:
            refs = [r for r in pod.metadata.ownerReferences if r.uid != rc.metadata.uid]
            await self._set_owners(key, pod, refs)
        return mine

    async def _set_owners(self, key: str, pod: Pod, refs: list[OwnerReference]) -> Pod:
        meta = pod.metadata
        # The resourceVersion makes it a compare-and-set: another owner may be reaching for it too.
        body = {
            "metadata": {
                "resourceVersion": meta.resourceVersion,
                "ownerReferences": msgspec.to_builtins(refs) or None,
            }
        }
        changed = await self._client.patch(POD, meta.name, body, namespace=meta.namespace)
        self._expected.created(key, changed)
        return changed

    async def _scale(self, key: str, rc: ReplicationController, pods: list[Pod]) -> ApiError | None:
        """Create or delete the difference; returns the first refusal."""
        wanted = 1 if rc.spec.replicas is None else rc.spec.replicas
        missing = min(wanted - len(pods), replicas.BURST)
        if missing > 0:
            return await self._create(key, rc, missing)
        surplus = min(len(pods) - wanted, replicas.BURST)
        if surplus > 0:
            going = replicas.victims(pods, surplus)
            return _first(await asyncio.gather(*(self._delete(key, rc, pod) for pod in going)))
        return None

    async def _create(self, key: str, rc: ReplicationController, count: int) -> ApiError | None:
        for size in replicas.batches(count):
            made = await asyncio.gather(*(self._create_one(key, rc) for _ in range(size)))
            if (refusal := _first(made)) is not None:
                return refusal
        return None

    async def _create_one(self, key: str, rc: ReplicationController) -> ApiError | None:
        try:
            pod = await self._client.create(POD, _pod_for(rc), namespace=rc.metadata.namespace)
        except ApiError as error:
            if not _is_terminating(error):
                self._note(rc, WARNING, "FailedCreate", f"Error creating: {error.message}")
            return error
        self._expected.created(key, pod)
        self._note(rc, NORMAL, "SuccessfulCreate", f"Created pod: {pod.metadata.name}")
        return None

    async def _delete(self, key: str, rc: ReplicationController, pod: Pod) -> ApiError | None:
        meta = pod.metadata
        try:
            await self._client.delete(
                POD, meta.name, namespace=meta.namespace, options=DeleteOptions(uid=meta.uid)
            )
        except NotFound:
            self._expected.deleted(key, pod)  # somebody was faster: the news is on its way
        except ApiError as error:
            self._note(rc, WARNING, "FailedDelete", f"Error deleting: {error.message}")
            return error
        else:
            self._expected.deleted(key, pod)
            self._note(rc, NORMAL, "SuccessfulDelete", f"Deleted pod: {meta.name}")
        return None

    async def _report(
        self, rc: ReplicationController, pods: list[Pod], failure: ApiError | None
    ) -> float | None:
        """Write the status if it changed; returns when it will change by time alone."""
        template = rc.spec.template
        now = self._clock.wall()
        seen = replicas.counts(
            pods,
            template.metadata.labels if template else {},
            min_ready_s=rc.spec.minReadySeconds,
            now=now,
        )
        status = ReplicationControllerStatus(
            replicas=seen.replicas,
            fullyLabeledReplicas=seen.labelled,
            readyReplicas=seen.ready,
            availableReplicas=seen.available,
            observedGeneration=rc.metadata.generation,
            conditions=_conditions(rc, failure, now),
        )
        if status != rc.status:
            # A patch without a revision: it can't lose a race, and the newest count wins anyway.
            await self._client.patch(
                REPLICATION_CONTROLLER,
                rc.metadata.name,
                {"status": _whole(status)},
                namespace=rc.metadata.namespace,
                subresource="status",
            )
        return seen.changes_in_s

    def _note(self, rc: ReplicationController, kind: str, reason: str, message: str) -> None:
        self._recorder.record(reference(REPLICATION_CONTROLLER, rc), kind, reason, message)


def _pod_for(rc: ReplicationController) -> Pod:
    if rc.spec.template is None:
        raise ValueError(f"replication controller {key_of(rc)} has no template")
    template = clone(rc.spec.template)
    return Pod(
        kind=POD.kind,
        apiVersion=POD.api_version,
        metadata=ObjectMeta(
            generateName=f"{rc.metadata.name}-",
            namespace=rc.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            ownerReferences=[controller_ref(REPLICATION_CONTROLLER, rc)],
        ),
        spec=template.spec,
    )


def _conditions(
    rc: ReplicationController, failure: ApiError | None, now: float
) -> list[ReplicationControllerCondition]:
    others = [c for c in rc.status.conditions if c.type != FAILURE]
    if failure is None or _is_terminating(failure):
        return others
    before = next((c for c in rc.status.conditions if c.type == FAILURE), None)
    condition = ReplicationControllerCondition(
        type=FAILURE,
        status="True",
        reason="FailedDelete" if rc.status.replicas > (rc.spec.replicas or 0) else "FailedCreate",
        message=failure.message,
        lastTransitionTime=before.lastTransitionTime if before else rfc3339(now),
    )
    return [*others, condition]


def _whole(status: ReplicationControllerStatus) -> dict[str, Any]:
    """Every field, also those at zero: a merge patch leaves alone what it does not name."""
    body = {name: msgspec.to_builtins(getattr(status, name)) for name in status.__struct_fields__}
    body["conditions"] = body["conditions"] or None
    return body


def _is_terminating(error: ApiError) -> bool:
    """Whether the namespace is going: then there is nothing to complain about."""
    return isinstance(error, Forbidden) and "is being terminated" in error.message


def _first(outcomes: Iterable[ApiError | None]) -> ApiError | None:
    return next((outcome for outcome in outcomes if outcome is not None), None)
