"""Keeps APIServices: which groups others answer for, whether they do, and our own ones.

Part of the API server, on every master. Changes of APIServices and of users' kinds wake it; only
while there are servers to look after does it look again every `_AGAIN_S`. Our own groups have
APIServices too (`Local`), so that clients that list them find all.

Started by `run` under the owner's tasks; ends with an error when the watch is cut (run it again).
Source: kube-aggregator `pkg/controllers/{status,autoregister}`.
"""

import asyncio

import structlog

from appliance.api import errors
from appliance.api.kinds.apiregistration.apiservice import (
    API_SERVICE,
    APIService,
    APIServiceCondition,
    APIServiceSpec,
    available,
)
from appliance.api.meta import DeleteOptions, ObjectMeta
from appliance.client.base import EventType, clone
from appliance.control.aggregation.remote import Found, Remotes, Unfit
from appliance.control.custom.catalog import Catalog
from appliance.control.registry.base import Call, Query, Registry, User
from appliance.kit.clock import Clock, rfc3339

log = structlog.get_logger(__name__)

AUTOMANAGED = "kube-aggregator.kubernetes.io/automanaged"
_USER = User(name="system:kube-aggregator", groups=("system:masters",))
_AGAIN_S = 30.0
_PRIORITY = {"": (18_000, 1), "apps": (17_800, 15), "autoscaling": (17_500, 30)}
_PRIORITY_BUILT_IN, _PRIORITY_CUSTOM = (17_000, 15), (1_000, 100)

_Key = tuple[str, str]


class Aggregation:
    """What others serve; see the module."""

    def __init__(
        self, registry: Registry, catalog: Catalog, remotes: Remotes, clock: Clock
    ) -> None:
        self._registry = registry
        self._catalog = catalog
        self.remotes = remotes
        self._clock = clock
        self._known: dict[str, APIService] = {}
        self._found: dict[_Key, Found] = {}
        self._woken = asyncio.Event()
        self.changes = 0
        """Grows with each change of what others serve."""

    def find(self, group: str, version: str) -> APIService | None:
        """Who answers for a group and version, if others do."""
        found = self._known.get(f"{version}.{group}")
        return found if found is not None and self._is_remote(found) else None

    def served(self) -> dict[_Key, Found]:
        """What those that answer have."""
        return self._found

    def _is_remote(self, service: APIService) -> bool:
        spec = service.spec
        own = any((k.group, k.version) == (spec.group, spec.version) for k in self._catalog.kinds())
        return spec.service is not None and not own

    async def run(self) -> None:
        """Follow APIServices and users' kinds."""
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(self._follow(), name="aggregation/follow")
            _ = group.create_task(self._look_after(), name="aggregation/look-after")
            _ = group.create_task(self._register(), name="aggregation/register")

    async def _follow(self) -> None:
        watch = self._registry.watch(API_SERVICE, Query())
        try:
            async for event in watch:
                if event.type is EventType.BOOKMARK:
                    continue
                name = event.item.obj.metadata.name
                old = self._known.pop(name, None)
                if event.type is not EventType.DELETED:
                    self._known[name] = event.item.obj
                if _way(old) != _way(self._known.get(name)):
                    self._woken.set()
        finally:
            await watch.aclose()

    async def _look_after(self) -> None:
        """Look at all servers whenever something changed, and now and then."""
        while True:
            self._woken.clear()
            remote = [s for s in self._known.values() if self._is_remote(s)]
            before = dict(self._found)
            gone = set(self._found) - {(s.spec.group, s.spec.version) for s in remote}
            for key in gone:
                del self._found[key]
            await asyncio.gather(*(self._look_at(service) for service in remote))
            if before != self._found:
                self.changes += 1
            try:
                async with asyncio.timeout(_AGAIN_S if remote else None):
                    await self._woken.wait()
            except TimeoutError:
                continue  # time to look again

    async def _look_at(self, service: APIService) -> None:
        key = (service.spec.group, service.spec.version)
        try:
            self._found[key] = await self.remotes.check(service)
        except Unfit as unfit:
            self._found.pop(key, None)
            await self._note(service, "False", unfit.reason, str(unfit))
        else:
            await self._note(service, "True", "Passed", "all checks passed")

    async def _note(self, service: APIService, status: str, reason: str, message: str) -> None:
        old = available(service)
        if old is not None and (old.status, old.reason, old.message) == (status, reason, message):
            return
        since = rfc3339(self._clock.wall())
        if old is not None and old.status == status and old.lastTransitionTime:
            since = old.lastTransitionTime
        changed = clone(service)
        changed.status.conditions = [
            APIServiceCondition(
                type="Available",
                status=status,
                lastTransitionTime=since,
                reason=reason,
                message=message,
            )
        ]
        if status != "True":
            log.warning("an API server is not available", name=service.metadata.name, why=message)
        try:
            _ = await self._registry.update(
                API_SERVICE,
                changed,
                namespace="",
                name=service.metadata.name,
                call=_call(),
                subresource="status",
            )
        except (errors.NotFound, errors.Conflict):
            return  # it has changed meanwhile: its event is on its way

    async def _register(self) -> None:
        """Keep an APIService for each group and version of our own."""
        while True:
            seen = self._catalog.changes
            custom = {(k.group, k.version) for k in self._catalog.custom()}
            wanted = {(k.group, k.version) for k in self._catalog.kinds()}
            page = await self._registry.list(API_SERVICE, Query())
            there = {item.obj.metadata.name: item.obj for item in page.items}
            for key in sorted(wanted):
                if f"{key[1]}.{key[0]}" not in there:
                    await self._add(key, is_custom=key in custom)
            for name, service in there.items():
                place = (service.spec.group, service.spec.version)
                if AUTOMANAGED in service.metadata.labels and place not in wanted:
                    await self._remove(name)
            _ = await self._catalog.changed(seen)
            self._woken.set()  # a group may be ours now, or no longer

    async def _add(self, key: _Key, *, is_custom: bool) -> None:
        group, version = key
        built_in = _PRIORITY.get(group, _PRIORITY_BUILT_IN)
        first, second = _PRIORITY_CUSTOM if is_custom else built_in
        made = APIService(
            metadata=ObjectMeta(
                name=f"{version}.{group}",
                labels={AUTOMANAGED: "true" if is_custom else "onstart"},
            ),
            spec=APIServiceSpec(
                group=group, version=version, groupPriorityMinimum=first, versionPriority=second
            ),
        )
        try:
            item = await self._registry.create(API_SERVICE, made, namespace="", call=_call())
        except errors.AlreadyExists:
            return  # another master was quicker
        told = "Local APIServices are always available"
        await self._note(item.obj, "True", "Local", told)

    async def _remove(self, name: str) -> None:
        try:
            _ = await self._registry.delete(
                API_SERVICE, namespace="", name=name, options=DeleteOptions(), call=_call()
            )
        except errors.NotFound:
            return


def _way(service: APIService | None) -> APIServiceSpec | None:
    """What a server is reached by; None for our own."""
    return service.spec if service is not None and service.spec.service is not None else None


def _call() -> Call:
    return Call(user=_USER, field_manager="kube-apiserver")
