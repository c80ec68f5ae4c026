"""ResourceQuota: a namespace may use so much and no more.

Must be the last step: what it lets through it charges to the status of the quota, by compare and
put, so that two requests (or two masters) cannot both have the last place. What is charged for an
object that is then refused comes back when the quota controller counts.
Source: kubernetes `plugin/pkg/admission/resourcequota`, whose messages these are.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from appliance.api import podamounts, quotausage
from appliance.api.errors import Conflict, qualified
from appliance.api.kind import Kind, T
from appliance.api.kinds.core.persistentvolumeclaim import PERSISTENT_VOLUME_CLAIM
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.resourcequota import RESOURCE_QUOTA, ResourceQuota
from appliance.api.kinds.core.service import SERVICE
from appliance.api.podamounts import Amounts
from appliance.client.base import clone
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup

_TRIES = 20
"""Others charge the same quota; each try of ours follows a success of somebody."""


class Charging(Lookup, Protocol):
    """Reads, and swaps one state of an object for the next."""

    async def swap(self, kind: Kind[T], old: T, new: T) -> bool:
        """Put `new` where `old` is; False if something else is there by now."""
        ...


class Quotas:
    """Checks and charges."""

    def __init__(self, lookup: Charging) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if not _concerns(attempt):
            return
        for quota in await self._lookup.every(RESOURCE_QUOTA, attempt.namespace):
            if quotausage.counts_for(quota.spec, attempt.kind, attempt.obj):
                await self._charge(attempt, quota)

    async def _charge(self, attempt: Attempt, quota: ResourceQuota) -> None:
        name = quota.metadata.name
        found: ResourceQuota | None = quota
        for _ in range(_TRIES):
            if found is None:
                return  # it was deleted meanwhile
            new = _charged(attempt, found)
            if new is None or attempt.call.dry_run:
                return
            if await self._lookup.swap(RESOURCE_QUOTA, found, new):
                return
            found = await self._lookup.find(RESOURCE_QUOTA, attempt.namespace, name)
        kind = attempt.kind
        why = f"quota {name} is charged by too many at once; try again"
        raise Conflict(f'{qualified(kind.plural, kind.group)} "{attempt.name}": {why}')


def _concerns(attempt: Attempt) -> bool:
    """Whether the write may use more than before."""
    if attempt.subresource or attempt.obj is None or not attempt.namespace:
        return False
    if attempt.verb == "update":
        return attempt.kind is SERVICE or attempt.kind is PERSISTENT_VOLUME_CLAIM
    return attempt.verb == "create"


def _charged(attempt: Attempt, quota: ResourceQuota) -> ResourceQuota | None:
    """Give the quota with what the attempt uses; None if that is nothing.

    Raises:
        Forbidden: there is not so much left, or the pod does not say what it wants.
    """
    name, hard = quota.metadata.name, podamounts.read(quota.status.hard)
    if attempt.kind is POD and (silent := quotausage.unsaid(hard, attempt.obj)):
        raise attempt.forbid(f"failed quota: {name}: must specify {silent}")
    more = _difference(attempt.kind, attempt.obj, attempt.old)
    more = {k: v for k, v in more.items() if k in hard and v.value}
    if not more:
        return None
    used = podamounts.read(quota.status.used)
    after = {k: used[k] + v if k in used else v for k, v in more.items()}
    over = [k for k in more if more[k].value > 0 and after[k] > hard[k]]
    if over:
        raise attempt.forbid(
            f"exceeded quota: {name}, requested: {_shown(more, over)}, "
            f"used: {_shown(used, over)}, limited: {_shown(hard, over)}"
        )
    new = clone(quota)
    new.status.used = {**quota.status.used, **{k: str(v) for k, v in after.items()}}
    return new


def _difference(kind: Kind[Any], obj: Any, old: Any) -> Amounts:
    after = quotausage.usage_of(kind, obj)
    before = quotausage.usage_of(kind, old) if old is not None else {}
    every = {**after, **before}
    after, before = quotausage.only(after, every), quotausage.only(before, every)
    return {name: after[name] - before[name] for name in every}


def _shown(amounts: Mapping[str, object], names: list[str]) -> str:
    return ",".join(f"{name}={amounts.get(name, 0)}" for name in sorted(names))
