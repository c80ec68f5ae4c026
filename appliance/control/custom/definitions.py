"""Definitions: follows CustomResourceDefinitions and serves the kinds that they define.

Part of the API server itself, not a controller: it also runs where controllers do not, and on
every master, since each has to serve. Level-triggered: each event only says which definition to
look at again. Source: apiextensions-apiserver `pkg/controller/{status,establish,finalizer}`.

    definition → names accepted, Established → its kinds are in the catalog
    deleted    → its objects are deleted → the finalizer goes → its kinds leave the catalog

Started by `run` under the owner's tasks; ends when cancelled.
"""

from typing import Any

import structlog

from appliance.api import errors
from appliance.api.custom.kinds import kinds_of
from appliance.api.kinds.apiextensions.definition import (
    CUSTOM_RESOURCE_DEFINITION,
    CustomResourceDefinition,
)
from appliance.api.kinds.apiextensions.definition_rules import FINALIZER
from appliance.api.meta import DeleteOptions
from appliance.client.base import EventType, PatchType, clone
from appliance.control.custom.catalog import Catalog
from appliance.control.custom.naming import is_established, status_of
from appliance.control.registry.base import Call, Query, Registry, User
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock, rfc3339

log = structlog.get_logger(__name__)

MANAGER = "kube-apiserver"
_USER = User(name="system:apiserver", groups=("system:masters",))
RESTART = Backoff(base_s=0.1, maximum_s=5.0)
"""Between two tries after the watch was cut."""


class Definitions:
    """Keeps the catalog in line with the definitions."""

    def __init__(self, registry: Registry, catalog: Catalog, clock: Clock) -> None:
        self._registry = registry
        self._catalog = catalog
        self._clock = clock
        self._known: dict[str, CustomResourceDefinition] = {}

    async def load(self) -> None:
        """Serve what is established already; before the server says that it is ready."""
        page = await self._registry.list(CUSTOM_RESOURCE_DEFINITION, Query())
        self._known = {item.obj.metadata.name: item.obj for item in page.items}
        for name in self._known:
            self._serve(name)

    async def run(self) -> None:
        """Follow the definitions; ends with an error when the watch is cut (run it again)."""
        watch = self._registry.watch(CUSTOM_RESOURCE_DEFINITION, Query())
        try:
            async for event in watch:
                await self._on(event.type, event.item.obj)
        finally:
            await watch.aclose()

    async def _on(self, what: EventType, definition: CustomResourceDefinition) -> None:
        name = definition.metadata.name
        if what is EventType.BOOKMARK:
            return
        if what is EventType.DELETED:
            self._known.pop(name, None)
            self._catalog.put(name, ())
            for other in [d for d in self._known.values() if d.spec.group == definition.spec.group]:
                await self._settle(other)  # a name may have become free
            return
        self._known[name] = definition
        await self._settle(definition)

    async def _settle(self, definition: CustomResourceDefinition) -> None:
        name = definition.metadata.name
        try:
            if definition.metadata.deletionTimestamp:
                self._serve(name)
                await self._finish(definition)
                return
            status = status_of(definition, self._known.values(), rfc3339(self._clock.wall()))
            if status != definition.status:
                definition = clone(definition)
                definition.status = status
                self._known[name] = definition
                self._serve(name)  # whoever sees Established finds the kind
                await self._note(definition)
            else:
                self._serve(name)
        except (errors.NotFound, errors.Conflict):
            return  # it has changed meanwhile: its next event is on its way
        except errors.ApiError as error:
            log.warning("a definition cannot be served", definition=name, why=str(error))

    def _serve(self, name: str) -> None:
        definition = self._known[name]
        self._catalog.put(name, kinds_of(definition) if is_established(definition) else ())

    async def _note(self, definition: CustomResourceDefinition) -> None:
        changed = clone(definition)
        _ = await self._registry.update(
            CUSTOM_RESOURCE_DEFINITION,
            changed,
            namespace="",
            name=definition.metadata.name,
            call=_call(),
            subresource="status",
        )

    async def _finish(self, definition: CustomResourceDefinition) -> None:
        """Delete the objects of a definition that goes; then it may go itself."""
        meta = definition.metadata
        if FINALIZER not in meta.finalizers:
            return
        if not await self._emptied(definition):
            return
        left = [f for f in meta.finalizers if f != FINALIZER]
        body: Any = {"metadata": {"finalizers": left, "resourceVersion": meta.resourceVersion}}
        _ = await self._registry.patch(
            CUSTOM_RESOURCE_DEFINITION,
            namespace="",
            name=meta.name,
            how=PatchType.MERGE,
            body=body,
            call=_call(),
        )

    async def _emptied(self, definition: CustomResourceDefinition) -> bool:
        """Delete all objects; False while some wait for finalizers of their own."""
        kinds = kinds_of(definition) if is_established(definition) else []
        for kind in kinds[:1]:
            _ = await self._registry.delete_collection(
                kind, Query(), options=DeleteOptions(), call=_call()
            )
            if (await self._registry.list(kind, Query(limit=1))).items:
                return False
        return True


def _call() -> Call:
    return Call(user=_USER, field_manager=MANAGER)
