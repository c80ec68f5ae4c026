"""`build_app`: the API server as an ASGI app; its routes and middleware as two lists.

Called by `assembly` with the parts it has made. FastAPI carries the routes; everything under
/api and /apis is one plain Starlette route each, whose endpoint looks the kind up in the table.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.routing import Route

from appliance.api.errors import NotFound
from appliance.control.access.attributes import Authorizer
from appliance.control.access.authn import Authenticator, CertificatesAndTokens
from appliance.control.access.authorizer import default_authorizer
from appliance.control.aggregation.keeper import Aggregation
from appliance.control.custom.catalog import Catalog
from appliance.control.http import usage
from appliance.control.http.aggregated import Aggregated
from appliance.control.http.audit import AuditLog
from appliance.control.http.discovery import Discovery, Extra
from appliance.control.http.exchange import Exchange
from appliance.control.http.forwarding import Forwarder
from appliance.control.http.health import ENDPOINTS, Check, Health
from appliance.control.http.metrics import Metrics
from appliance.control.http.middleware import Endpoint, Guard, Handle, Limit, Observe
from appliance.control.http.openapi import OpenApi
from appliance.control.http.proxies import Proxies
from appliance.control.http.resources import (
    Resources,
    find_kind,
    method_not_allowed,
    no_such_resource,
)
from appliance.control.http.reviews import EXTRAS, Reviews
from appliance.control.http.streams import Logs, NodeConnections
from appliance.control.http.subresources import Subresources
from appliance.control.http.target import Target
from appliance.control.http.tokens import DISCOVERY_PATH, KEYS_PATH, TokenDoor, no_tokens
from appliance.control.http.upgrades import Upgrades
from appliance.control.http.version import version_info
from appliance.control.registry.base import Registry
from appliance.kit import jsonio
from appliance.kit.clock import Clock, SystemClock

_BINDINGS = Extra(
    group="", version="v1", plural="bindings", singular="binding", kind="Binding", namespaced=True
)


# Off for good: else FastAPI looks into the environment at each request whether to export traces.
_NO_TELEMETRY: TelemetryConfig = {
    "auto_configure": False,
    "logs": False,
    "metrics": False,
    "tracing": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the API server is made of."""

    registry: Registry
    authenticator: Authenticator = field(default_factory=CertificatesAndTokens)
    authorizer: Authorizer | None = None
    """Who may do what; by default nodes their share, and all others what roles grant."""
    clock: Clock = field(default_factory=SystemClock)
    checks: Sequence[Check] = ()
    """Conditions of /readyz (and of /livez, where marked so)."""
    nodes: NodeConnections | None = None
    """How logs are fetched and streams joined; without it they answer with an error."""
    forwarder: Forwarder = field(default_factory=Forwarder)
    """How requests are passed on to other servers; its maker closes it."""
    metrics: CollectorRegistry | None = None
    catalog: Catalog = field(default_factory=Catalog)
    """The kinds that are served; users' own come and go."""
    audit: AuditLog | None = None
    """Where requests are written down; without it they are not."""
    tokens: TokenDoor | None = None
    """Gives tokens of service accounts; without it there are none."""
    aggregation: Aggregation | None = None
    """Which groups others answer for; without it none."""
    unguarded: Mapping[str, Handle] = field(default_factory=dict)
    """Further pages, which see for themselves who asks."""

    def rules(self) -> Authorizer:
        """The authorizer, or the default."""
        return self.authorizer or default_authorizer(self.registry.lookup)


def build_app(parts: Parts) -> FastAPI:
    """Put the API server together."""
    metrics = Metrics(parts.metrics or CollectorRegistry(), parts.registry.counts)
    authorizer = parts.rules()
    app = FastAPI(
        title="appliance",
        openapi_url=None,  # the API has documents of its own, made from the kinds
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        routes=[
            Route(path, Endpoint(handle))
            for path, handle in _routes(parts, metrics, authorizer).items()
        ],
        middleware=[
            Middleware(Observe, metrics=metrics, clock=parts.clock, audit=parts.audit),
            Middleware(
                Guard,
                authenticator=parts.authenticator,
                authorizer=authorizer,
                unguarded=tuple(parts.unguarded),
            ),
            Middleware(Limit),
        ],
    )
    app.router.default = Endpoint(_no_such_page)
    return app


def _routes(parts: Parts, metrics: Metrics, authorizer: Authorizer) -> Mapping[str, Handle]:
    """Every path and who answers it; the first that fits wins."""
    resources = Resources(registry=parts.registry, clock=parts.clock, catalog=parts.catalog)
    logs = Logs(registry=parts.registry, nodes=parts.nodes)
    subresources = Subresources(
        registry=parts.registry,
        resources=resources,
        stream_logs=logs.handle,
        token=parts.tokens.create if parts.tokens is not None else no_tokens,
        upgrade=Upgrades(registry=parts.registry, nodes=parts.nodes).handle,
        proxy=Proxies(
            registry=parts.registry,
            forwarder=parts.forwarder,
            nodes_tls=parts.nodes.tls if parts.nodes is not None else None,
            rng=random.SystemRandom(),
        ).handle,
    )
    reviews = Reviews(authorizer=authorizer, authenticator=parts.authenticator, clock=parts.clock)
    aggregated = Aggregated(parts.aggregation)
    used = usage.Usage(parts.registry, parts.nodes)
    api = Api(resources, subresources, reviews, used=used, aggregated=aggregated)
    health, openapi = Health(parts.checks, parts.clock), OpenApi(parts.catalog, aggregated)
    checks = {
        f"/{name}{tail}": health.handle for name in ENDPOINTS for tail in ("", "/{check:path}")
    }
    return {
        "/api": api.discover,
        "/apis": api.discover,
        "/api/{rest:path}": api.handle,
        "/apis/{rest:path}": api.handle,
        **checks,
        **parts.unguarded,
        **(_issuer(parts.tokens) if parts.tokens is not None else {}),
        "/openapi/v2": _only_get(openapi.old),
        "/openapi/v3": _only_get(openapi.index),
        "/openapi/v3/{name:path}": _only_get(openapi.document),
        "/version": _version,
        "/version/": _version,
        "/metrics": _only_get(metrics.handle),
        "/": _index,
    }


def _issuer(tokens: TokenDoor) -> Mapping[str, Handle]:
    return {
        DISCOVERY_PATH: _only_get(tokens.discovery),
        KEYS_PATH: _only_get(tokens.keys),
        f"{KEYS_PATH}/": _only_get(tokens.keys),
    }


class Api:
    """Everything under /api and /apis."""

    def __init__(
        self,
        resources: Resources,
        subresources: Subresources,
        reviews: Reviews,
        *,
        used: usage.Usage,
        aggregated: Aggregated,
    ) -> None:
        self._aggregated = aggregated
        self._resources = resources
        self._reviews = reviews
        self._usage = used
        self._subresources = subresources
        self._catalog = resources.catalog
        self._made_at = self._state()
        self._made = self._discover()

    def _state(self) -> tuple[int, int]:
        return self._catalog.changes, self._aggregated.changes

    @property
    def _discovery(self) -> Discovery:
        """The documents of all kinds, made anew when users' kinds or others' have changed."""
        if self._made_at != (now := self._state()):
            self._made_at = now
            self._made = self._discover()
        return self._made

    def _discover(self) -> Discovery:
        extras = [_BINDINGS, *EXTRAS, *usage.EXTRAS]
        return Discovery(self._catalog.kinds(), extras, self._aggregated.resources())

    async def handle(self, exchange: Exchange) -> None:
        """Resources, their sub-resources, or the discovery documents in between."""
        target = exchange.target
        if target.resource and self._aggregated.is_theirs(target.path):
            await self._aggregated.handle(exchange)
        elif target.group not in self._discovery.groups or self._is_lost(target):
            await _no_such_page(exchange)
        elif not target.resource:
            await self.discover(exchange)
        elif target.group == usage.GROUP:
            await self._usage.handle(exchange)
        elif target.resource == "bindings" and not target.name and not target.group:
            await self._subresources.bind(exchange)
        elif review := self._reviews.find(target.group, target.version, target.resource):
            await review(exchange)
        elif target.subresource:
            await self._subresources.handle(exchange)
        else:
            await self._resources.handle(exchange)

    def _is_lost(self, target: Target) -> bool:
        """Whether a URL names no kind of a group that users made: upstream has no page there."""
        if not target.resource or target.group not in self._catalog.custom_groups:
            return False
        try:
            _ = find_kind(self._catalog, target)
        except NotFound:
            return True
        return False

    async def discover(self, exchange: Exchange) -> None:
        """What there is."""
        path = exchange.target.path
        document = self._discovery.choose(path, exchange.header(b"accept"))
        if document is None:
            _, _, group, *_ = f"{path}//".split("/")
            if path.startswith("/apis/") and group not in self._discovery.groups:
                await _no_such_page(exchange)
                return
            raise no_such_resource()
        if exchange.scope["method"] != "GET":
            raise method_not_allowed()
        extra = (
            (b"etag", document.etag.encode()),
            (b"vary", b"Accept"),
            (b"cache-control", b"public"),
        )
        if exchange.header(b"if-none-match") == document.etag:
            await exchange.answer_bytes(b"", document.media.encode(), code=304, extra=extra)
            return
        await exchange.answer_bytes(document.body, document.media.encode(), extra=extra)


def _only_get(handle: Handle) -> Handle:
    async def checked(exchange: Exchange) -> None:
        if exchange.scope["method"] != "GET":
            raise method_not_allowed()
        await handle(exchange)

    return checked


async def _version(exchange: Exchange) -> None:
    if exchange.scope["method"] != "GET":
        raise method_not_allowed()
    await exchange.answer(jsonio.dumps(version_info()))


async def _index(exchange: Exchange) -> None:
    """The root: paths that people may start from."""
    paths: dict[str, Any] = {
        "paths": ["/api", "/apis", "/healthz", "/livez", "/readyz", "/version"]
    }
    await exchange.answer(jsonio.dumps(paths))


async def _no_such_page(exchange: Exchange) -> None:
    media = b"text/plain; charset=utf-8"
    await exchange.answer_bytes(b"404 page not found\n", media, code=404)
