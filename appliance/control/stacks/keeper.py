"""Applies stacks and prunes what left them; one key is one stack.

An object is applied server-side with force, as its file is its only author. The inventory is
written before the first object, so that nothing that was made can be forgotten; an object is only
taken out if it still carries the stack's mark, and never because a file could not be read: a
stack with a fault keeps all that it has. Failed ones are tried again every RETRY_S.

Runs beside the controllers of the master that leads; `folder.Folder` wakes it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from appliance.api import names as api_names
from appliance.api.errors import ApiError, NotFound
from appliance.api.kind import Kind
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.client.base import Client, DeleteOptions, PatchType, clone
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.stacks import inventory, manifests
from appliance.control.stacks.inventory import MARK, NAMESPACE, PREFIX, Thing
from appliance.control.stacks.manifests import Unfit

log = structlog.get_logger(__name__)

RETRY_S = 10.0
_LABEL_MAX = 63

Kinds = Callable[[], Sequence[Kind[Any]]]


@dataclass(slots=True)
class _Plan:
    """What of a stack can be applied, and what is wrong with the rest."""

    wanted: list[tuple[Kind[Any], Thing, dict[str, Any]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Stacks:
    """Every stack of one folder."""

    name = "stacks"

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        folder: Path,
        kinds: Kinds,
        recorder: Recorder,
    ) -> None:
        self._client = client
        self._folder = folder
        self._kinds = kinds
        self._recorder = recorder
        self._records = informers.of(CONFIG_MAP)

    def watches(self) -> Sequence[Watch]:
        """Inventories that were there before us, and those that somebody removes."""
        return [
            Watch(self._records, inventory.stack_of, lambda old, new: old is None or new is None)
        ]

    def known(self) -> list[str]:
        """Stacks that have an inventory."""
        every = self._records.cache.list(NAMESPACE)
        return [name for record in every for name in inventory.stack_of(record)]

    async def reconcile(self, key: str) -> Result:
        """Make one stack so."""
        try:
            left_alone = await asyncio.to_thread(manifests.skipped, self._folder)
            stack = await asyncio.to_thread(manifests.read, self._folder, key)
        except OSError as error:
            log.warning("manifests cannot be read, nothing is changed", why=str(error))
            return Result(again_in_s=RETRY_S)
        if key in left_alone:
            return DONE
        record = await self._record(key)
        if stack is None:
            return await self._remove(key, record)
        plan = self._plan(stack)
        had = inventory.things_in(record)
        wanted = [thing for _, thing, _ in plan.wanted]
        if not set(wanted) <= set(had):
            await self._write(record, inventory.record_of(key, stack.files, [*had, *wanted]))
        faults = [*plan.faults, *await self._apply(key, plan)]
        gone = [] if plan.faults else [thing for thing in had if thing not in set(wanted)]
        kept, more = await self._prune(key, gone)
        left = [*wanted, *(had if plan.faults else kept)]
        new = inventory.record_of(key, stack.files, left, [*faults, *more])
        self._tell(record, await self._write(await self._record(key), new))
        return Result(again_in_s=RETRY_S) if faults or more else DONE

    async def _record(self, key: str) -> ConfigMap | None:
        try:
            return await self._client.get(CONFIG_MAP, PREFIX + key, NAMESPACE)
        except NotFound:
            return None

    def _plan(self, stack: manifests.Stack) -> _Plan:
        """Bring bodies into their order, with everything said that their author may leave out."""
        plan = _Plan(faults=list(stack.faults))
        if api_names.dns_label(stack.name) or len(PREFIX + stack.name) > _LABEL_MAX:
            plan.faults.append(
                f"{stack.name!r} is no name for a stack: use lower-case letters, digits and '-'"
            )
            return plan
        kinds = {(kind.api_version, kind.kind): kind for kind in self._kinds()}
        for body in stack.bodies:
            kind = kinds.get((str(body.get("apiVersion", "")), str(body.get("kind", ""))))
            try:
                plan.wanted.append(_wanted(stack.name, kind, body))
            except Unfit as error:
                plan.faults.append(str(error))
        plan.wanted.sort(key=lambda one: inventory.rank(one[0].kind))
        return plan

    async def _apply(self, key: str, plan: _Plan) -> list[str]:
        """Apply everything that can be; gives the faults."""
        faults: list[str] = []
        for kind, thing, body in plan.wanted:
            try:
                await self._client.patch(
                    kind, thing.name, body, namespace=thing.namespace, how=PatchType.APPLY
                )
            except ApiError as error:
                faults.append(f"{thing}: {error}")
        log.info("stack applied", stack=key, objects=len(plan.wanted), faults=len(faults))
        return faults

    async def _prune(self, key: str, gone: Iterable[Thing]) -> tuple[list[Thing], list[str]]:
        """Take out what is ours; gives what could not be, and why."""
        kinds = {(kind.api_version, kind.kind): kind for kind in self._kinds()}
        kept: list[Thing] = []
        faults: list[str] = []
        for thing in sorted(gone, key=lambda one: -inventory.rank(one.kind)):
            kind = kinds.get((thing.api_version, thing.kind))
            if kind is None:
                continue  # its definition went, and it with that
            try:
                await self._take_out(key, kind, thing)
            except ApiError as error:
                kept.append(thing)
                faults.append(f"{thing}: {error}")
        return kept, faults

    async def _take_out(self, key: str, kind: Kind[Any], thing: Thing) -> None:
        try:
            found = await self._client.get(kind, thing.name, thing.namespace)
            if found.metadata.annotations.get(MARK) != key:
                return  # somebody else's by now
            options = DeleteOptions(propagation="Background", uid=found.metadata.uid)
            await self._client.delete(kind, thing.name, namespace=thing.namespace, options=options)
        except NotFound:
            return
        log.info("object of a stack removed", stack=key, object=str(thing))

    async def _remove(self, key: str, record: ConfigMap | None) -> Result:
        """All files of a stack are gone."""
        if record is None:
            return DONE
        kept, faults = await self._prune(key, inventory.things_in(record))
        if kept:
            await self._write(record, inventory.record_of(key, (), kept, faults))
            return Result(again_in_s=RETRY_S)
        await self._client.delete(CONFIG_MAP, PREFIX + key, namespace=NAMESPACE)
        return DONE

    async def _write(self, old: ConfigMap | None, new: ConfigMap) -> ConfigMap:
        if old is None:
            return await self._client.create(CONFIG_MAP, new, namespace=NAMESPACE)
        if old.data == new.data:
            return old
        changed = clone(old)
        changed.data = new.data
        return await self._client.update(CONFIG_MAP, changed)

    def _tell(self, old: ConfigMap | None, new: ConfigMap) -> None:
        if old is not None and old.data == new.data:
            return
        fault = new.data.get("message")
        kind, reason = (WARNING, "FailedApply") if fault else (NORMAL, "Applied")
        said = fault or f"{len(inventory.things_in(new))} objects applied"
        self._recorder.record(reference(CONFIG_MAP, new), kind, reason, said)


def _wanted(
    stack: str, kind: Kind[Any] | None, body: dict[str, Any]
) -> tuple[Kind[Any], Thing, dict[str, Any]]:
    """Complete one body.

    Raises:
        Unfit: it cannot be applied; the message says why.
    """
    shown = f"{body.get('apiVersion', '?')} {body.get('kind', '?')}"
    if kind is None:
        raise Unfit(f"{shown}: no such kind; is its definition missing?")
    meta = body.get("metadata")
    if not isinstance(meta, dict) or not meta.get("name"):
        raise Unfit(f"{shown}: metadata.name is missing")
    if not isinstance(meta.get("annotations") or {}, dict):
        raise Unfit(f"{shown} {meta['name']}: metadata.annotations must be a map")
    marked = {**(meta.get("annotations") or {}), MARK: stack}
    completed = {**meta, "annotations": marked}
    completed.pop("namespace", None)
    if kind.namespaced:
        completed["namespace"] = meta.get("namespace") or "default"
    whole = {**body, "metadata": completed}
    return kind, inventory.thing_of(kind, whole), whole
