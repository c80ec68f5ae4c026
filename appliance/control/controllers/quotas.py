"""Counts what the objects of a namespace use of its quotas: status.hard and status.used.

Admission charges new objects at once; this counts anew when something goes, ends, or changes, and
a little after each charge, so that what was charged for a refused object comes back.
Source: kubernetes `pkg/controller/resourcequota`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from appliance.api import podamounts, quotausage
from appliance.api.kind import Kind
from appliance.api.kinds.core.resourcequota import RESOURCE_QUOTA, ResourceQuota
from appliance.api.podamounts import Amounts
from appliance.client.base import Client, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers
from appliance.kit.clock import Clock

_SETTLED_S = 1.0
"""After a charge the object itself comes into our cache well within this time."""


class Quotas:
    """Keeps the status of every quota."""

    name = "resource-quota"

    def __init__(
        self, client: Client, informers: Informers, kinds: Sequence[Kind[Any]], *, clock: Clock
    ) -> None:
        self._client = client
        self._clock = clock
        self._quotas = informers.of(RESOURCE_QUOTA)
        self._counted = [(kind, informers.of(kind)) for kind in kinds if kind.namespaced]
        self._charged: dict[str, tuple[str, float]] = {}
        """Quotas that are charged for more than we see: at which revision, and since when."""

    def watches(self) -> Sequence[Watch]:
        """The quotas, and all that they may count."""
        return [
            Watch(self._quotas, lambda quota: self._of(quota.metadata.namespace)),
            *(
                Watch(
                    informer,
                    lambda obj: self._of(obj.metadata.namespace),
                    partial(self._matters, kind),
                )
                for kind, informer in self._counted
                if kind is not RESOURCE_QUOTA
            ),
        ]

    async def reconcile(self, key: str) -> Result:
        """Count for one quota."""
        quota = self._quotas.cache.get(key)
        if quota is None or quota.metadata.deletionTimestamp is not None:
            self._charged.pop(key, None)
            return DONE
        hard = {name: str(amount) for name, amount in quota.spec.hard.items()}
        counted = quotausage.only(self._used(quota), hard)
        used = {name: str(amount) for name, amount in counted.items()}
        if (quota.status.hard, quota.status.used) == (hard, used):
            self._charged.pop(key, None)
            return DONE
        if _is_charged(quota, counted) and (wait_s := self._to_wait(key, quota)) > 0:
            return Result(again_in_s=wait_s)
        self._charged.pop(key, None)
        new = clone(quota)
        new.status.hard, new.status.used = dict(hard), dict(used)
        await self._client.update(RESOURCE_QUOTA, new, subresource="status")
        return DONE

    def _to_wait(self, key: str, quota: ResourceQuota) -> float:
        """How long to wait for what was charged to come into sight."""
        now, revision = self._clock.monotonic(), quota.metadata.resourceVersion
        seen, since = self._charged.get(key, ("", now))
        if seen != revision:
            since = now
            self._charged[key] = (revision, now)
        return since + _SETTLED_S - now

    def _used(self, quota: ResourceQuota) -> Amounts:
        total: Amounts = {}
        wanted = set(quota.spec.hard)
        for kind, informer in self._counted:
            for obj in informer.cache.list(quota.metadata.namespace):
                if not quotausage.counts_for(quota.spec, kind, obj):
                    continue
                for name, amount in quotausage.usage_of(kind, obj).items():
                    if name in wanted:
                        total[name] = total[name] + amount if name in total else amount
        return total

    def _matters(self, kind: Kind[Any], old: Any, new: Any) -> bool:
        """Whether a change changes what is used; most are in namespaces without a quota."""
        if not self._of((new if new is not None else old).metadata.namespace):
            return False
        if old is None or new is None:
            return True
        return quotausage.usage_of(kind, old) != quotausage.usage_of(kind, new)

    def _of(self, namespace: str) -> list[str]:
        return [key_of(quota) for quota in self._quotas.cache.list(namespace)]


def _is_charged(quota: ResourceQuota, counted: Amounts) -> bool:
    """Whether more is charged than is counted."""
    charged = podamounts.read(quota.status.used)
    return any(name in charged and charged[name] > amount for name, amount in counted.items())
