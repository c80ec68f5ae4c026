"""Keeps the built-in roles and bindings there, at each start of a master.

What is missing is made; rights and subjects that are missing are added, what an administrator
has added stays. An object whose annotation `autoupdate` says false is left alone.
Called by `bootstrap`. Source: kubernetes `pkg/registry/rbac/reconciliation`.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from appliance.api import errors
from appliance.api.kind import Kind
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING
from appliance.api.kinds.rbac.role import ROLE
from appliance.api.kinds.rbac.rolebinding import ROLE_BINDING
from appliance.client.base import Client, clone
from appliance.control.access.rbac.builtin import components, controllers, users
from appliance.control.access.rbac.builtin.words import AUTO_UPDATE
from appliance.control.access.rbac.grants import uncovered
from appliance.control.access.rbac.ruleset import Ruleset

BUILT_IN: Sequence[tuple[Kind[Any], Sequence[Any]]] = (
    (CLUSTER_ROLE, (*users.ROLES, *components.ROLES, *controllers.ROLES)),
    (CLUSTER_ROLE_BINDING, (*users.BINDINGS, *components.BINDINGS, *controllers.BINDINGS)),
    (ROLE, components.NAMESPACE_ROLES),
    (ROLE_BINDING, components.NAMESPACE_BINDINGS),
)

_AT_ONCE = 32
"""Writes under way at a time: enough to share the store's commits."""


async def reconcile_built_in(client: Client) -> None:
    """Make sure that all of them are there and grant what they should."""
    turn = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for kind, wanted in BUILT_IN:
            found = {_key(obj): obj for obj in (await client.list(kind)).items}
            for obj in wanted:
                group.create_task(_keep(client, kind, obj, found=found.get(_key(obj)), turn=turn))


async def _keep(
    client: Client, kind: Kind[Any], wanted: Any, *, found: Any, turn: asyncio.Semaphore
) -> None:
    async with turn:
        try:
            if found is None:
                await client.create(kind, wanted)
            elif (better := improved(kind, wanted, found)) is not None:
                await client.update(kind, better)
        except (errors.AlreadyExists, errors.Conflict):
            return  # another master starts, too, and writes the same


def improved(kind: Kind[Any], wanted: Any, found: Any) -> Any | None:
    """Give what must be written so that `found` grants what is wanted; None if it does already."""
    if found.metadata.annotations.get(AUTO_UPDATE) == "false":
        return None
    new = clone(found)
    new.metadata.labels = {**found.metadata.labels, **wanted.metadata.labels}
    new.metadata.annotations = {**found.metadata.annotations, **wanted.metadata.annotations}
    if kind is CLUSTER_ROLE_BINDING or kind is ROLE_BINDING:
        known = list(found.subjects)
        new.subjects = [*known, *(s for s in wanted.subjects if s not in known)]
    elif getattr(wanted, "aggregationRule", None) is not None:
        new.aggregationRule = wanted.aggregationRule
    else:
        held = found.rules or []
        new.rules = [*held, *uncovered(wanted.rules or [], [Ruleset(held)])]
    return None if new == found else new


def _key(obj: Any) -> tuple[str, str]:
    return obj.metadata.namespace, obj.metadata.name
