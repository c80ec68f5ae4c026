"""Namespaces on their way out: delete all that is in them, then let them go.

Wakes when the namespace or anything in a terminating one changes. What is there is listed from
the server, not from caches: a namespace must not go while an object is on its way to a cache.
Pods go first, and all else when the last of them has gone; conditions tell what is waited for.
Deletions run DELETE_AT_ONCE at a time.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from appliance.api.errors import Conflict, NotFound
from appliance.api.kind import Kind
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.meta import KubeObject
from appliance.api.objects import set_condition
from appliance.client.base import Client, DeleteOptions, Where, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers
from appliance.control.controllers.leavings import Leavings, conditions
from appliance.kit.clock import Clock, rfc3339

FINALIZER = "kubernetes"
DELETE_AT_ONCE = 50
PAGE = 500


CUSTOM_AGAIN_S = 5.0
"""Nobody watches users' kinds for us, so what waits there is looked at again."""


class NamespaceController:
    """Empties namespaces that are being deleted."""

    name = "namespaces"

    def __init__(
        self,
        client: Client,
        informers: Informers,
        kinds: Sequence[Kind[Any]],
        custom: Callable[[], Sequence[Kind[Any]]] = tuple,
        *,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._client = client
        self._custom = custom
        self._kinds = [kind for kind in kinds if kind.namespaced and "delete" in kind.verbs]
        self._namespaces = informers.of(NAMESPACE)
        # Events vanish at once when deleted: nobody need be told of it.
        self._contents = [informers.of(kind) for kind in self._kinds if kind is not EVENT]

    def watches(self) -> Sequence[Watch]:
        """Namespaces, and what leaves those that are going."""
        return [
            Watch(self._namespaces, lambda namespace: [key_of(namespace)]),
            *(Watch(informer, self._going_namespace) for informer in self._contents),
        ]

    async def reconcile(self, key: str) -> Result:
        """Delete what is left; when nothing is, finalize."""
        namespace = self._namespaces.cache.get(key)
        if namespace is None or not _must_empty(namespace):
            return DONE
        left = Leavings()
        await self._empty(POD, key, left)
        if left:  # what runs may need the rest until its end
            await self._tell(namespace, left)
            return DONE
        for kind in self._kinds:
            await self._empty(kind, key, left)
        built_in = left.resources.total()
        for kind in self._custom():  # users' kinds: as they are now
            if kind.namespaced and kind.stored_as is None:
                await self._empty(kind, key, left)
        if not left:
            done = clone(namespace)
            done.spec.finalizers = [f for f in done.spec.finalizers if f != FINALIZER]
            await self._finalize(done)
            return DONE
        # The last object to go wakes us: it needs its grace or its finalizers.
        await self._tell(namespace, left)
        waits_for_custom = left.resources.total() > built_in
        return Result(again_in_s=CUSTOM_AGAIN_S) if waits_for_custom else DONE

    async def _tell(self, namespace: Namespace, left: Leavings) -> None:
        """Say in the status what the namespace waits for."""
        changed = clone(namespace)
        told = [
            set_condition(changed.status.conditions, condition)
            for condition in conditions(left, rfc3339(self._clock.wall()))
        ]
        if any(told):
            try:
                await self._client.update(NAMESPACE, changed, subresource="status")
            except (Conflict, NotFound):
                return  # its event is on its way

    async def _finalize(self, namespace: Namespace) -> None:
        try:
            await self._client.update(NAMESPACE, namespace, subresource="finalize")
        except NotFound:
            return

    async def _empty(self, kind: Kind[Any], namespace: str, left: Leavings) -> None:
        """Delete all objects of a kind; note what is still there."""
        for obj_page in await self._pages(kind, namespace):
            for start in range(0, len(obj_page), DELETE_AT_ONCE):
                part = obj_page[start : start + DELETE_AT_ONCE]
                await asyncio.gather(*(self._delete(kind, obj) for obj in part))
        page = await self._client.list(kind, Where(namespace=namespace), limit=PAGE)
        left.note(kind, page.items)

    async def _pages(self, kind: Kind[Any], namespace: str) -> list[list[Any]]:
        pages, token = [], ""
        while True:
            page = await self._client.list(
                kind, Where(namespace=namespace), limit=PAGE, continue_token=token
            )
            pages.append(page.items)
            token = page.continue_token
            if not token:
                return pages

    async def _delete(self, kind: Kind[Any], obj: KubeObject) -> None:
        meta = obj.metadata
        if meta.deletionTimestamp is not None:
            return
        try:
            await self._client.delete(
                kind,
                meta.name,
                namespace=meta.namespace,
                options=DeleteOptions(uid=meta.uid, propagation="Background"),
            )
        except NotFound:
            return

    def _going_namespace(self, obj: KubeObject) -> Iterable[str]:
        namespace = self._namespaces.cache.get(obj.metadata.namespace)
        return (key_of(namespace),) if namespace is not None and _must_empty(namespace) else ()


def _must_empty(namespace: Namespace) -> bool:
    return (
        namespace.metadata.deletionTimestamp is not None and FINALIZER in namespace.spec.finalizers
    )
