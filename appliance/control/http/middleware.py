"""What every request passes before a handler: an id, a measure, who asks and whether they may.

Pure ASGI, in this order (`app.py` has the list): `Observe` → `Guard` → `Limit` → routes. `Guard`
leaves an `Exchange` with the parsed target, options and user in the scope.
"""

import base64
import uuid
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any

import structlog

from appliance.api.errors import ApiError, BadRequest, TooManyRequests
from appliance.control.access.attributes import Attributes, Authorizer, forbidden
from appliance.control.access.authn import ANONYMOUS, Authenticator
from appliance.control.access.impersonation import impersonated, read_wish
from appliance.control.http.audit import AuditLog
from appliance.control.http.exchange import Exchange, Receive, Scope, Send, serve
from appliance.control.http.fairness import Fairness
from appliance.control.http.metrics import Metrics
from appliance.control.http.params import parse_params
from appliance.control.http.target import parse_target
from appliance.control.registry.base import User
from appliance.kit.clock import Clock

log = structlog.get_logger(__name__)

EXCHANGE = "appliance.exchange"
Handle = Callable[[Exchange], Awaitable[None]]
_TOKEN_PROTOCOL = "base64url.bearer.authorization.k8s.io."  # noqa: S105 - name of a protocol
_DECISION = "authorization.k8s.io/decision"
_REASON = "authorization.k8s.io/reason"
_SLOW_S = 1.0  # a request that takes longer, streams aside, is worth a line in the log


class Observe:
    """Gives each request an Audit-Id, counts and times it."""

    def __init__(
        self, app: Any, *, metrics: Metrics, clock: Clock, audit: AuditLog | None = None
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and look at the head of the answer."""
        if scope["type"] != "http":
            return
        started = self._clock.monotonic()
        began = self._clock.wall()
        audit_id = str(uuid.uuid4()).encode()
        code = 0

        async def note(message: Any) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                message["headers"] = [*message["headers"], (b"audit-id", audit_id)]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            took_s = self._clock.monotonic() - started
            exchange: Exchange | None = scope.get(EXCHANGE)
            if exchange is not None:
                code = 101 if exchange.upgraded else code
                self._metrics.done(exchange.target, code, took_s)
                if self._audit is not None:
                    self._audit.record(
                        exchange,
                        audit_id=audit_id.decode(),
                        code=code,
                        began=began,
                        ended=began + took_s,
                    )
                if took_s > _SLOW_S and not exchange.target.streams:
                    log.warning(
                        "slow request",
                        verb=exchange.target.verb,
                        path=exchange.target.path,
                        code=code,
                        took_s=round(took_s, 3),
                    )


class Guard:
    """Parses the request line, finds out who asks, and refuses what they may not do.

    Pages in `unguarded` see to that themselves.
    """

    def __init__(
        self,
        app: Any,
        *,
        authenticator: Authenticator,
        authorizer: Authorizer,
        unguarded: Collection[str] = (),
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._unguarded = frozenset(unguarded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with an `Exchange` in the scope."""
        params = parse_params(scope["query_string"])
        headers = dict(reversed(scope["headers"]))  # the first of a doubled header counts
        target = parse_target(scope["method"], scope["path"], params.one)
        exchange = Exchange(
            scope=scope,
            receive=receive,
            send=send,
            target=target,
            user=ANONYMOUS,
            params=params,
            headers=headers,
        )
        scope[EXCHANGE] = exchange
        try:
            if target.path not in self._unguarded:
                await self._check(exchange)
        except ApiError as error:
            await exchange.fail(error)
            return
        await self._app(scope, receive, send)

    async def _check(self, exchange: Exchange) -> None:
        exchange.user = await self._authenticator.authenticate(
            authorization_of(exchange), certificate_of(exchange.scope)
        )
        asked = exchange.target.attributes()
        wish = read_wish(exchange.scope["headers"])
        if wish is not None:
            asker = exchange.user
            exchange.user = await impersonated(asker, wish, asked, self._authorizer)
            exchange.impersonator = asker

        async def authorize(verb: str) -> None:
            await self._authorize(exchange.user, replace(asked, verb=verb))

        exchange.authorize = authorize
        await self._authorize(exchange.user, asked, exchange.notes)

    async def _authorize(
        self, user: User, asked: Attributes, notes: dict[str, str] | None = None
    ) -> None:
        decision = await self._authorizer.decide(user, asked)
        if notes is not None:
            notes[_DECISION] = "allow" if decision.allowed else "forbid"
            notes[_REASON] = decision.reason
        if not decision.allowed:
            raise forbidden(user, asked, decision.reason)


class Limit:
    """Lets so many requests in at once as can be worked on, fairly; streams don't count."""

    def __init__(self, app: Any, *, fairness: Fairness | None = None) -> None:
        self._app = app
        self._fairness = fairness or Fairness()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on when it is one's turn."""
        exchange: Exchange = scope[EXCHANGE]
        if exchange.target.streams or not exchange.target.resource:
            await self._app(scope, receive, send)
            return
        level, flow = self._fairness.level_of(exchange.user), exchange.user.name
        try:
            await level.take(flow)
        except TooManyRequests as error:
            await exchange.fail(error)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            level.leave(flow)


class Endpoint:
    """Makes an ASGI endpoint of a function of an `Exchange`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; `send` is the one that all middleware has wrapped."""
        exchange: Exchange = scope[EXCHANGE]
        exchange.receive, exchange.send = receive, send
        await serve(exchange, self._handle)


def authorization_of(exchange: Exchange) -> str:
    """The Authorization header; browsers, whose WebSockets have none, name it as a protocol."""
    for protocol in exchange.header(b"sec-websocket-protocol").split(","):
        encoded = protocol.strip().removeprefix(_TOKEN_PROTOCOL)
        if encoded == protocol.strip():
            continue
        padded = encoded + "=" * (-len(encoded) % 4)
        try:
            token = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except ValueError:
            raise BadRequest("the token among the WebSocket protocols is not base64url") from None
        return f"Bearer {token}"
    return exchange.header(b"authorization")


def certificate_of(scope: Scope) -> bytes | None:
    """The client's certificate, which TLS has verified, as our own server passes it on."""
    tls = scope.get("extensions", {}).get("tls")
    certificate: bytes | None = tls["client_cert_der"] if tls else None
    return certificate
