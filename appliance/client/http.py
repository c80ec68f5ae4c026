"""HttpClient: the `Client` protocol over HTTPS.

Used by whatever runs outside the server's process: the node agent, tools, tests. One pool of
keep-alive connections per client; it lives until `close`. No retries here: the runner and the
informers have them.
Bounded by: `_CONNECTIONS` connections, `_ANSWER_S` for everything but watches.
"""

import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from appliance.api import codec
from appliance.api.errors import ApiError, InternalError, ServiceUnavailable, from_status
from appliance.api.kind import Kind, T
from appliance.api.meta import KubeObject, ListMeta
from appliance.client.base import (
    BY_DEFAULT,
    EVERYWHERE,
    DeleteOptions,
    EventType,
    Page,
    PatchType,
    WatchEvent,
    Where,
)
from appliance.client.framing import Lines, LineTooLong
from appliance.client.kubeconfig import Access
from appliance.kit import jsonio

_ANSWER_S = 30.0  # a list of a full cluster takes under a second; upstream gives up after 60
_CONNECT_S = 5.0
_CONNECTIONS = 64  # each open watch holds one
_WATCH_SPARE_S = 15.0  # how much later than agreed a server may end a watch
_JSON = "application/json"


class HttpClient:
    """See `client.base.Client` for what each call promises."""

    def __init__(self, access: Access, *, agent: str = "appliance") -> None:
        headers = {"Accept": _JSON, "User-Agent": agent}
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        self._http = httpx.AsyncClient(
            base_url=access.server,
            headers=headers,
            verify=tls_context(access),
            timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S),
            limits=httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=60),
            trust_env=False,  # a proxy in the environment is not meant for the way to our master
        )

    async def get(self, kind: Kind[T], name: str, namespace: str = "") -> T:
        """Read one object."""
        raw = await self._call("GET", kind.path(namespace, name))
        return _read(kind.type, raw)

    async def list(
        self, kind: Kind[T], where: Where = EVERYWHERE, *, limit: int = 0, continue_token: str = ""
    ) -> Page[T]:
        """Read all objects that match, or one page."""
        query = _selectors(where)
        if limit:
            query["limit"] = str(limit)
        if continue_token:
            query["continue"] = continue_token
        raw = await self._call("GET", kind.path(where.namespace), query=query)
        page = _decoded(_page_decoder(kind), raw)
        for item in page.items:  # a list has said once for all what its items are
            item.kind, item.apiVersion = kind.kind, kind.api_version
        return Page(page.items, page.metadata.resourceVersion, page.metadata.continue_)

    async def watch(
        self, kind: Kind[T], where: Where = EVERYWHERE, *, since: str, timeout_s: int = 300
    ) -> AsyncIterator[WatchEvent[T]]:
        """Follow changes after `since`."""
        query = _selectors(where) | {
            "watch": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(timeout_s),
            "allowWatchBookmarks": "true",
        }
        timeout = httpx.Timeout(timeout_s + _WATCH_SPARE_S, connect=_CONNECT_S)
        url = kind.path(where.namespace)
        try:
            async with self._http.stream("GET", url, params=query, timeout=timeout) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise _fault(answer, await answer.aread())
                lines = Lines()
                async for chunk in answer.aiter_raw():
                    for line in lines.feed(chunk):
                        yield _event(kind, line)
        except LineTooLong as error:
            raise InternalError(f"the API server's answer is no watch: {error}") from error
        except httpx.RemoteProtocolError:
            return  # cut off in the middle: the same as an end, the watch is taken up again
        except httpx.HTTPError as error:
            raise _unreachable(error) from error

    async def create(
        self, kind: Kind[T], obj: T, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> T:
        """Store a new object, or post a sub-resource of `name`."""
        namespace = namespace or obj.metadata.namespace
        named = (name or obj.metadata.name) if subresource else ""
        path = kind.path(namespace, named, subresource)
        raw = await self._call("POST", path, body=_whole(kind, obj, subresource))
        if subresource:
            return _read(type(obj), raw) if subresource in _ANSWERED else obj
        return _read(kind.type, raw)

    async def update(self, kind: Kind[T], obj: T, *, subresource: str = "") -> T:
        """Replace an object."""
        path = kind.path(obj.metadata.namespace, obj.metadata.name, subresource)
        raw = await self._call("PUT", path, body=_whole(kind, obj, subresource))
        return _read(type(obj), raw)

    async def patch(
        self,
        kind: Kind[T],
        name: str,
        body: Any,
        *,
        namespace: str = "",
        how: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> T:
        """Change parts of an object."""
        path = kind.path(namespace, name, subresource)
        query = {"force": "true"} if how is PatchType.APPLY else {}
        if how is PatchType.APPLY:
            query["fieldManager"] = str(self._http.headers["User-Agent"]).split("/", 1)[0]
        raw = await self._call("PATCH", path, body=jsonio.dumps(body), query=query, media=how.value)
        return _read(kind.type, raw)

    async def delete(
        self, kind: Kind[T], name: str, *, namespace: str = "", options: DeleteOptions = BY_DEFAULT
    ) -> None:
        """Delete an object."""
        body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if options.grace_period_s is not None:
            body["gracePeriodSeconds"] = options.grace_period_s
        if options.propagation is not None:
            body["propagationPolicy"] = options.propagation
        conditions = {"uid": options.uid, "resourceVersion": options.resource_version}
        if given := {key: value for key, value in conditions.items() if value is not None}:
            body["preconditions"] = given
        await self._call("DELETE", kind.path(namespace, name), body=jsonio.dumps(body))

    async def close(self) -> None:
        """End watches and free connections."""
        await self._http.aclose()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        media: str = _JSON,
    ) -> bytes:
        headers = {"Content-Type": media} if body is not None else None
        try:
            answer = await self._http.request(
                method, path, content=body, params=query, headers=headers
            )
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if answer.status_code >= 300:
            raise _fault(answer, answer.content)
        return answer.content


def tls_context(access: Access) -> ssl.SSLContext | bool:
    """What TLS needs to know: whom to trust, and who we are."""
    if not access.server.startswith("https:"):
        return False
    context = ssl.create_default_context(cadata=access.ca_pem.decode() or None)
    if access.cert_pem:
        _load_pair(context, access.cert_pem, access.key_pem)
    return context


_ANSWERED = frozenset({"token"})
"""Sub-resources whose answer is the posted object with its status; of others it is a Success."""


def _load_pair(context: ssl.SSLContext, cert_pem: bytes, key_pem: bytes) -> None:
    """Load a certificate and its key; Python takes them from files only."""
    handle, name = tempfile.mkstemp(prefix="appliance-client-")  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(cert_pem + b"\n" + key_pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


def _selectors(where: Where) -> dict[str, str]:
    query: dict[str, str] = {}
    if where.labels:
        query["labelSelector"] = where.labels
    if where.fields:
        query["fieldSelector"] = where.fields
    return query


def _whole(kind: Kind[Any], obj: KubeObject, subresource: str) -> bytes:
    """The bytes of an object; it says what it is unless it is of another kind's shape."""
    if not obj.kind and not subresource:
        obj = msgspec.structs.replace(obj, kind=kind.kind, apiVersion=kind.api_version)
    return codec.encode(obj)


def _event(kind: Kind[T], line: bytes) -> WatchEvent[T]:
    """Read one line of a watch.

    Raises:
        ApiError: the line says so.
    """
    frame = _decoded(_frames, line)
    if frame.type == "ERROR":
        raise from_status(jsonio.loads(frame.object))
    return WatchEvent(EventType(frame.type), _read(kind.type, bytes(frame.object)))


class _Frame(msgspec.Struct):
    """A line of a watch; the object is decoded once its type is known."""

    type: str
    object: msgspec.Raw


_frames = msgspec.json.Decoder(_Frame)
_page_decoders: dict[tuple[str, str], msgspec.json.Decoder[Any]] = {}  # one per kind


def _page_decoder(kind: Kind[Any]) -> msgspec.json.Decoder[Any]:
    key = (kind.api_version, kind.kind)
    if key not in _page_decoders:
        items: Any = list[kind.type]  # type: ignore[name-defined]  # a type made at run time
        shape = msgspec.defstruct(kind.list_kind, [("metadata", ListMeta), ("items", items)])
        _page_decoders[key] = msgspec.json.Decoder(shape)
    return _page_decoders[key]


def _read(struct: type[T], raw: bytes) -> T:
    """Decode an object that the server sent.

    Raises:
        InternalError: it is none of this type.
    """
    try:
        return codec.from_stored(struct, raw)
    except msgspec.MsgspecError as error:
        raise InternalError(f"the API server sent no {struct.__name__}: {error}") from error


def _decoded(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    try:
        return decoder.decode(raw)
    except msgspec.MsgspecError as error:
        raise InternalError(f"the API server's answer can't be read: {error}") from error


def _fault(answer: httpx.Response, raw: bytes) -> ApiError:
    """Give the error that an answer stands for; proxies in between send no Status."""
    try:
        body = jsonio.loads(raw)
    except jsonio.JsonError:
        body = None
    if isinstance(body, dict) and body.get("kind") == "Status":
        return from_status(body)
    text = raw[:200].decode(errors="replace").strip()
    message = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {text}"
    return from_status({"code": answer.status_code, "message": message})


def _unreachable(error: httpx.HTTPError) -> ServiceUnavailable:
    where = f"{error.request.url.host}:{error.request.url.port}"
    return ServiceUnavailable(
        f"can't reach the API server at {where}: {str(error) or type(error).__name__}"
    )
