"""The seam for rules that need caches of their own, such as volumes.

The loop puts an extension's filters behind those of every profile, and calls it when a pod is
assumed on a node, backed out, and before it is bound.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from appliance.client.informer import Informer
from appliance.control.scheduler.base import Change, Filter
from appliance.control.scheduler.podinfo import PodInfo


class Extension(Protocol):
    """Rules that need caches of their own, and work before a pod is bound (volumes)."""

    @property
    def filters(self) -> Sequence[Filter]:
        """Put behind those of every profile."""
        ...

    @property
    def informers(self) -> Sequence[Informer[Any]]:
        """Caches that must be filled before the first choice."""
        ...

    def listen(self, tell: Callable[[Change], None]) -> None:
        """Tell of changes that may help pods that wait."""
        ...

    def assume(self, info: PodInfo, node: str) -> None:
        """The pod will be bound there: hold what it needs, the next choice counts it."""
        ...

    def forget(self, info: PodInfo) -> None:
        """It was not bound after all."""
        ...

    async def before_bind(self, info: PodInfo, node: str) -> None:
        """Do what must be done before the pod is bound; an error means that it is not."""
        ...
