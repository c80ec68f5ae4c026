"""OpenAPI documents over HTTP; what is in them is made by `api.openapi_v3` and `openapi_v2`.

kubectl will not apply without them. It asks for the index first, then for documents by the hash
that the index gives, and keeps those: a document with the right hash may be kept for a year.
Documents are made at first use and live as long as the process.
"""

import hashlib
from functools import cached_property

from appliance.api import openapi_v2, openapi_v3, openapi_wire
from appliance.control.custom.catalog import Catalog
from appliance.control.http.aggregated import Aggregated
from appliance.control.http.exchange import Exchange
from appliance.control.http.negotiate import JSON
from appliance.kit import jsonio

_TEXT = b"text/plain; charset=utf-8"  # upstream says so of the index, though it is JSON
_FOREVER = (
    (b"cache-control", b"public, immutable"),
    (b"expires", b"Fri, 31 Dec 2099 23:59:59 GMT"),
)


class OpenApi:
    """Answers /openapi/v2, /openapi/v3 and what is below it.

    Users' kinds are in the documents of both.
    """

    def __init__(self, catalog: Catalog, aggregated: Aggregated) -> None:
        self._catalog = catalog
        self._aggregated = aggregated
        self._custom_at = 0
        self._custom: dict[str, bytes] = {}
        self._old_at = 0
        self._olds: dict[bool, bytes] = {}

    @cached_property
    def _built_in(self) -> dict[str, str]:
        return {
            name: entry["serverRelativeURL"].partition("hash=")[2]
            for name, entry in openapi_v3.index()["paths"].items()
        }

    def _documents(self) -> dict[str, bytes]:
        """Documents of groups with users' kinds, made anew when these have changed."""
        if self._custom_at != self._catalog.changes:
            self._custom_at = self._catalog.changes
            kinds = self._catalog.kinds()
            wanted = {(k.group, k.version) for k in self._catalog.custom()}
            self._custom = {
                openapi_v3.path_of(*each): jsonio.dumps(openapi_v3.document(*each, kinds))
                for each in wanted
            }
        return self._custom

    def _hashes(self) -> dict[str, str]:
        own = {name: _digest(body) for name, body in self._documents().items()}
        return dict(sorted((self._built_in | own | self._aggregated.documents()).items()))

    async def index(self, exchange: Exchange) -> None:
        """Which documents there are."""
        paths = {
            name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
            for name, digest in self._hashes().items()
        }
        await exchange.answer_bytes(jsonio.dumps({"paths": paths}), _TEXT)

    async def document(self, exchange: Exchange) -> None:
        """One document; upstream answers an unknown one with an empty 404."""
        name = exchange.target.path.removeprefix("/openapi/v3/").strip("/")
        digest = self._hashes().get(name)
        if digest is None:
            await exchange.answer_bytes(b"", b"", code=404)
            return
        if name in self._aggregated.documents():
            await self._aggregated.handle(exchange, about=name)
            return
        etag = f'"{digest}"'
        extra = [(b"etag", etag.encode()), (b"vary", b"Accept")]
        if exchange.params.one.get("hash") == digest:
            extra += _FOREVER
        if exchange.header(b"if-none-match") == etag:
            await exchange.answer_bytes(b"", JSON.encode(), code=304, extra=tuple(extra))
            return
        body = self._documents().get(name) or openapi_v3.encoded(*_group_version(name))
        await exchange.answer_bytes(body, JSON.encode(), extra=tuple(extra))

    def _old(self, *, as_protobuf: bool) -> bytes:
        if not (kinds := self._catalog.custom()):
            return openapi_v2.encoded_protobuf() if as_protobuf else openapi_v2.encoded()
        if self._old_at != self._catalog.changes:
            self._old_at, self._olds = self._catalog.changes, {}
        if as_protobuf not in self._olds:
            made = openapi_v2.with_custom(kinds)
            encode = openapi_wire.encode if as_protobuf else jsonio.dumps
            self._olds[as_protobuf] = encode(made)
        return self._olds[as_protobuf]

    async def old(self, exchange: Exchange) -> None:
        """The one document of v2, which clients from before v3 want as protobuf."""
        wants_protobuf = openapi_v2.PROTOBUF_ASKED in exchange.header(b"accept")
        body = self._old(as_protobuf=wants_protobuf)
        media = openapi_v2.PROTOBUF_SENT if wants_protobuf else JSON
        etag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
        extra = ((b"etag", etag.encode()), (b"vary", b"Accept"))
        if exchange.header(b"if-none-match") == etag:
            await exchange.answer_bytes(b"", media.encode(), code=304, extra=extra)
            return
        await exchange.answer_bytes(body, media.encode(), extra=extra)


def _digest(body: bytes) -> str:
    return hashlib.sha512(body).hexdigest().upper()


def _group_version(name: str) -> tuple[str, str]:
    """Split `api/v1` or `apis/apps/v1`."""
    parts = name.split("/")
    return (parts[1], parts[2]) if len(parts) == 3 else ("", parts[-1])
