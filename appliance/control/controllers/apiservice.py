"""The service `kubernetes`, by which pods find the API, comes back when somebody deletes it.

What it is made of is bootstrap's business, which runs at each start of a master; here it is only
noticed that a part of it has gone.
"""

from collections.abc import Awaitable, Callable, Sequence

from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.core.service import SERVICE
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers

Ensure = Callable[[], Awaitable[None]]
_KEY = ("default", "kubernetes")


class ApiService:
    """Calls `ensure` after service, endpoints or slice have been deleted."""

    name = "apiservice"

    def __init__(self, informers: Informers, *, ensure: Ensure) -> None:
        self._ensure = ensure
        self._kinds = [informers.of(kind) for kind in (SERVICE, ENDPOINTS, ENDPOINT_SLICE)]

    def watches(self) -> Sequence[Watch]:
        """Deletions of objects of that name."""
        return [
            Watch(
                informer,
                lambda obj: (
                    [obj.metadata.name]
                    if (obj.metadata.namespace, obj.metadata.name) == _KEY
                    else []
                ),
                only=lambda _, new: new is None,
            )
            for informer in self._kinds
        ]

    async def reconcile(self, key: str) -> Result:  # noqa: ARG002 - there is but one
        """Make what is missing."""
        await self._ensure()
        return DONE
