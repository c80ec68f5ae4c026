"""Requests for groups that others answer for, passed on to them.

The user is known and may do it: the same rules hold as for our own kinds. Who asks is told in
headers, which the other server believes because of our certificate.
"""

from typing import Any

from appliance.api.errors import ServiceUnavailable
from appliance.control.aggregation.keeper import Aggregation
from appliance.control.aggregation.remote import Unfit
from appliance.control.aggregation.trust import headers_about
from appliance.control.http.exchange import Exchange
from appliance.control.http.forwarding import Place

Json = dict[str, Any]


class Aggregated:
    """Answers for others; without an `Aggregation` there are none."""

    def __init__(self, aggregation: Aggregation | None) -> None:
        self._aggregation = aggregation

    @property
    def changes(self) -> int:
        """Grows when the others' resources change."""
        return self._aggregation.changes if self._aggregation is not None else 0

    def resources(self) -> dict[tuple[str, str], tuple[Json, ...]]:
        """What others serve, by group and version, as their lists say it."""
        if self._aggregation is None:
            return {}
        return {key: found.resources for key, found in self._aggregation.served().items()}

    def documents(self) -> dict[str, str]:
        """Hashes of the others' OpenAPI documents by name."""
        if self._aggregation is None:
            return {}
        served = self._aggregation.served()
        named = ((f"apis/{g}/{v}", found.document) for (g, v), found in served.items())
        return {name: digest for name, digest in named if digest}

    def is_theirs(self, path: str) -> bool:
        """Whether others answer for a path."""
        return self._service(path) is not None

    def _service(self, path: str) -> Any:
        parts = path.strip("/").split("/")
        if self._aggregation is None or len(parts) < 3 or parts[0] != "apis":
            return None
        return self._aggregation.find(parts[1], parts[2])

    async def handle(self, exchange: Exchange, about: str = "") -> None:
        """Pass a request on; `about` is the path that tells to whom, where it is not its own.

        Raises:
            ServiceUnavailable: they are not there.
        """
        aggregation = self._aggregation
        service = self._service(about or exchange.target.path)
        if aggregation is None or service is None:
            raise ServiceUnavailable("service unavailable")
        raw: bytes = exchange.scope.get("raw_path") or exchange.target.path.encode()
        query: bytes = exchange.scope["query_string"]
        path = raw.decode("latin-1").partition("?")[0]
        path += f"?{query.decode('latin-1')}" if query else ""
        try:
            place = await aggregation.remotes.place(service, path)
        except Unfit as unfit:
            raise ServiceUnavailable("service unavailable") from unfit
        told = tuple(headers_about(exchange.user))
        await aggregation.remotes.forwarder.forward(
            exchange, Place(url=place.url, tls=place.tls, host=place.host, headers=told)
        )
