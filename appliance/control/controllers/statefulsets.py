"""StatefulSet: numbered pods with names and data that last.

One pass: find or make the revision of the template, decide (`statefulplan`), make claims and
pods, end pods, then the status. A pod's name is its identity, so there is never a second one of a
number: the name is free only when the last one is gone.

Source: kubernetes `pkg/controller/statefulset`.
"""

from collections.abc import Sequence

import msgspec

from appliance.api import labels
from appliance.api.errors import AlreadyExists
from appliance.api.kinds.apps.controllerrevision import ControllerRevision
from appliance.api.kinds.apps.statefulset import STATEFUL_SET
from appliance.api.kinds.apps.statefulset_spec import StatefulSet
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import Recorder
from appliance.client.informer import Informers
from appliance.control.controllers import statefulplan
from appliance.control.controllers.ownedpods import OwnedPods, pod_from, whole
from appliance.control.controllers.revisions import HASH_LABEL, Revisions, hash_of
from appliance.control.controllers.statefulclaims import StatefulClaims, mount
from appliance.kit.clock import Clock

_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
_INDEX_LABEL = "apps.kubernetes.io/pod-index"


class StatefulSets:
    """Keeps numbered pods."""

    name = "statefulset"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._owners = informers.of(STATEFUL_SET)
        self._pods = OwnedPods(client, informers, self._owners, recorder)
        self._revisions = Revisions(client, informers, STATEFUL_SET)
        self._claims = StatefulClaims(client, informers)

    def watches(self) -> Sequence[Watch]:
        """Stateful sets, their pods and revisions; claims are only looked at."""
        return [
            Watch(self._owners, lambda one: [key_of(one)]),
            Watch(self._pods.informer, self._pods.owners_of(_selector)),
            Watch(self._revisions.informer, self._revisions.owner_of),
            Watch(self._claims.informer, lambda _claim: ()),
        ]

    async def reconcile(self, key: str) -> Result:
        """One pass."""
        one = self._owners.cache.get(key)
        if one is None:
            self._pods.forget(key)
            return DONE
        if one.metadata.deletionTimestamp is not None or not self._pods.met(key):
            return DONE
        await self._pods.claimed(key, one, _selector(one))
        try:
            update = await self._revisions.current(
                one, one.spec.template, collisions=one.status.collisionCount or 0
            )
        except AlreadyExists:
            await self._revisions.count_collision(one, one.status.collisionCount or 0)
            raise
        current = self._current(one) or update
        pods = {
            number: pod
            for pod in self._pods.of(one)
            if (number := statefulplan.ordinal_of(one, pod)) >= 0
        }
        versions = statefulplan.Versions(current=hash_of(current), update=hash_of(update))
        now = self._clock.wall()
        work = statefulplan.plan(one, pods, versions, now)
        # The status first: if a pod is refused, people still see how far it is.
        await self._report(one, pods, versions, names=(current.metadata.name, update.metadata.name))
        await self._carry_out(key, one, work, {hash_of(current): current, hash_of(update): update})
        used = {pod.metadata.labels.get(HASH_LABEL, "") for pod in pods.values()}
        await self._revisions.forget(
            one, one.spec.revisionHistoryLimit, used=used | {versions.current}
        )
        return Result(again_in_s=work.again_in_s)

    def _current(self, one: StatefulSet) -> ControllerRevision | None:
        name = one.status.currentRevision
        return next((r for r in self._revisions.of(one) if r.metadata.name == name), None)

    async def _carry_out(
        self,
        key: str,
        one: StatefulSet,
        work: statefulplan.Work,
        revisions: dict[str, ControllerRevision],
    ) -> None:
        for pod in work.scaled_away:
            await self._claims.let_go(one, pod, statefulplan.ordinal_of(one, pod))
        refused = await self._pods.delete(key, one, work.delete)
        made = []
        for number, mark in work.create.items():
            await self._claims.provide(one, number)
            made.append(_pod_for(one, number, revisions[mark]))
        refused = refused or await self._pods.create(key, one, made)
        if refused is not None:
            raise refused

    async def _report(
        self,
        one: StatefulSet,
        pods: dict[int, Pod],
        versions: statefulplan.Versions,
        *,
        names: tuple[str, str],
    ) -> None:
        status = statefulplan.counted(
            one, list(pods.values()), versions, names=names, now=self._clock.wall()
        )
        if status != one.status:
            await self._client.patch(
                STATEFUL_SET,
                one.metadata.name,
                {"status": whole(status)},
                namespace=one.metadata.namespace,
                subresource="status",
            )


def _selector(one: StatefulSet) -> labels.Selector:
    return labels.from_label_selector(one.spec.selector)


def _pod_for(one: StatefulSet, number: int, revision: ControllerRevision) -> Pod:
    name = f"{one.metadata.name}-{number}"
    pod = pod_from(STATEFUL_SET, one, _template(revision), name)
    pod.metadata.labels = {
        **pod.metadata.labels,
        _NAME_LABEL: name,
        _INDEX_LABEL: str(number),
        HASH_LABEL: hash_of(revision),
    }
    pod.spec.hostname = name
    pod.spec.subdomain = one.spec.serviceName
    mount(one, pod, number)
    return pod


def _template(revision: ControllerRevision) -> PodTemplateSpec:
    """The template as it was."""
    state = {k: v for k, v in revision.data["spec"]["template"].items() if k != "$patch"}
    return msgspec.convert(state, PodTemplateSpec)
