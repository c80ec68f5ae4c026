"""Watches: one JSON object per line, in a chunked answer, until somebody has had enough.

Started by `resources` for `?watch=true`. The bytes of an event are those that the registry keeps:
a whole object is never encoded per watcher. A watch ends by its timeout, by the client going
away, or by the server stopping; an expired one says so in an ERROR event, as upstream does.
Bounded by: `timeoutSeconds` or else at most an hour. A client that reads too slowly makes `send`
wait, and then the registry's bound on watchers cuts it off.
"""

import random
from collections.abc import Callable
from typing import Any

from appliance.api.errors import ApiError
from appliance.api.kind import Kind
from appliance.api.meta import ListMeta
from appliance.client.base import EventType
from appliance.control.http.exchange import Exchange
from appliance.control.http.negotiate import Form, View
from appliance.control.http.params import list_query
from appliance.control.http.streaming import finish, run_until_ended, send_chunk, start
from appliance.control.http.views import Table, partial_bytes
from appliance.control.registry.base import Registry, Stored, StoredEvent, Watch
from appliance.kit import jsonio
from appliance.kit.clock import Clock

_DEFAULT_S = 1800.0  # upstream's default is 30 to 60 minutes, spread so that not all return at once
_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-cache, private")]
_HEAD = {kind: b'{"type":"%b","object":' % kind.value.encode() for kind in EventType}

Encode = Callable[[StoredEvent[Any]], bytes]


async def serve_watch(
    exchange: Exchange, kind: Kind[Any], registry: Registry, clock: Clock
) -> None:
    """Answer a watch of `kind`."""
    target, params = exchange.target, exchange.params
    namespace = target.namespace if kind.namespaced else ""
    query = list_query(params, namespace=namespace, name=target.name, watch=True)
    form = exchange.form()
    limit_s = _limit_s(params.number("timeoutSeconds"))
    encode = _encoder(kind, form, include=params.one.get("includeObject", ""), clock=clock)
    watch = registry.watch(kind, query)
    try:
        await start(exchange, _HEADERS)
        await run_until_ended(exchange, _pump(exchange, watch, encode), limit_s)
        if (last := watch.farewell()) is not None:
            await send_chunk(exchange, encode(last))
    finally:
        await watch.aclose()
    await finish(exchange)


def _limit_s(asked: int | None) -> float:
    if asked:
        return float(asked)
    return _DEFAULT_S * (1.0 + random.SystemRandom().random())


async def _pump(exchange: Exchange, watch: Watch[Any], encode: Encode) -> None:
    """Send events until the watch ends; its failure is the last event."""
    try:
        async for event in watch:
            await send_chunk(exchange, encode(event))
    except ApiError as error:
        line = b'{"type":"ERROR","object":%b}\n' % jsonio.dumps(error.status())
        await send_chunk(exchange, line)


def _encoder(kind: Kind[Any], form: Form, *, include: str, clock: Clock) -> Encode:
    if form.view is View.WHOLE:
        return _whole
    if form.view is View.TABLE:
        return _table_encoder(kind, form, include=include, clock=clock)

    def metadata(event: StoredEvent[Any]) -> bytes:
        return _HEAD[event.type] + partial_bytes(event.item, form.version) + b"}\n"

    return metadata


def _whole(event: StoredEvent[Any]) -> bytes:
    return b"%b%b}\n" % (_HEAD[event.type], event.item.json)


def _table_encoder(kind: Kind[Any], form: Form, *, include: str, clock: Clock) -> Encode:
    table = Table(kind, form, now=clock.wall(), include=include)

    def encode(event: StoredEvent[Any]) -> bytes:
        table.now = clock.wall()
        meta = ListMeta(resourceVersion=event.item.obj.metadata.resourceVersion)
        # A bookmark has no row to show: only its revision.
        items: list[Stored[Any]] = [] if event.type is EventType.BOOKMARK else [event.item]
        body = table.encode(items, meta)
        table.heads = False
        return _HEAD[event.type] + body + b"}\n"

    return encode
