"""One API server that is aggregated: where it is now, whether it answers, and what it has.

Called by the keeper for checks and by the HTTP layer to pass requests on.
"""

import random
from dataclasses import dataclass
from typing import Any

import httpx

from appliance.api.errors import ServiceUnavailable
from appliance.api.kinds.apiregistration.apiservice import APIService
from appliance.api.kinds.core.service import SERVICE
from appliance.control.aggregation.places import places_behind
from appliance.control.aggregation.trust import FrontProxy
from appliance.control.http.forwarding import Forwarder, Place
from appliance.control.registry.base import Lookup
from appliance.kit import jsonio

Json = dict[str, Any]
_CHECK_S = 5.0
_ANSWER_BYTES = 16 * 1024 * 1024


class Unfit(Exception):
    """The server does not do; `reason` and text are those of the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Found:
    """What a server has: the list of its resources, and the hash of its document, if it has one."""

    resources: tuple[Json, ...]
    document: str = ""


class Remotes:
    """Ways to other API servers."""

    def __init__(
        self, lookup: Lookup, forwarder: Forwarder, proxy: FrontProxy, rng: random.Random
    ) -> None:
        self._lookup = lookup
        self.forwarder = forwarder
        self._proxy = proxy
        self._rng = rng

    async def place(self, service: APIService, path: str) -> Place:
        """Where a path of a server is.

        Raises:
            Unfit: nowhere.
        """
        ref = service.spec.service
        if ref is None:
            raise Unfit("Local", "served by this server")
        where = f'service/{ref.name} in "{ref.namespace}"'
        found = await self._lookup.find(SERVICE, ref.namespace, ref.name)
        if found is None:
            raise Unfit("ServiceNotFound", f"{where} is not present")
        try:
            places = await places_behind(self._lookup, found, str(ref.port or 443))
        except ServiceUnavailable as error:
            why = f"endpoints for {where} have no addresses: {error}"
            raise Unfit("MissingEndpoints", why) from error
        address, port = self._rng.choice(places)
        host = f"[{address}]" if ":" in address else address
        try:
            tls = self._proxy.context(
                service.spec.caBundle, looks_away=service.spec.insecureSkipTLSVerify
            )
        except ValueError as error:
            raise Unfit("FailedDiscoveryCheck", str(error)) from error
        name = f"{ref.name}.{ref.namespace}.svc"
        return Place(url=f"https://{host}:{port}{path}", tls=tls, host=name)

    async def check(self, service: APIService) -> Found:
        """Ask a server what it has.

        Raises:
            Unfit: it does not say.
        """
        spec = service.spec
        path = f"/apis/{spec.group}/{spec.version}"
        body = await self._get(service, path)
        try:
            listed = jsonio.loads(body)
            resources = tuple(r for r in listed["resources"] if isinstance(r["name"], str))
        except (ValueError, KeyError, TypeError) as error:
            why = f"bad answer from {path}: {error}"
            raise Unfit("FailedDiscoveryCheck", why) from error
        return Found(resources, await self._document(service, path))

    async def _document(self, service: APIService, path: str) -> str:
        """The hash of the server's own OpenAPI document; a server need not have one."""
        try:
            listed = jsonio.loads(await self._get(service, "/openapi/v3"))
            url = listed["paths"][path.lstrip("/")]["serverRelativeURL"]
            return str(url).partition("hash=")[2] or "unknown"
        except (Unfit, ValueError, KeyError, TypeError):
            return ""

    async def _get(self, service: APIService, path: str) -> bytes:
        place = await self.place(service, path)
        headers = {
            "accept": "application/json",
            "host": place.host,
            "x-remote-user": "system:kube-aggregator",
            "x-remote-group": "system:masters",
        }
        try:
            answer = await self.forwarder.client(place.tls).get(
                place.url,
                headers=headers,
                timeout=_CHECK_S,
                extensions={"sni_hostname": place.host},
            )
        except (httpx.HTTPError, OSError) as error:
            told = str(error) or type(error).__name__
            why = f"failing or missing response from {place.url}: {told}"
            raise Unfit("FailedDiscoveryCheck", why) from error
        if not answer.is_success or len(answer.content) > _ANSWER_BYTES:
            why = f"failing or missing response from {place.url}: bad status: {answer.status_code}"
            raise Unfit("FailedDiscoveryCheck", why)
        return answer.content
