"""The JSON gateway: POST /v3/kv/range and so on, for clients without gRPC.

Runs the same methods as `grpc.py` does. Streams answer with a line of JSON per message; what the
client has to say is the request's body, so its half ends there; over a WebSocket it goes on.

Source: etcd's gateway annotations in api/etcdserverpb/rpc.proto.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Self

from appliance.kit.tasks import Tasks
from appliance.store.errors import StoreError
from appliance.store.serve.calls import Caller, Method, Methods, Streaming
from appliance.store.serve.http1 import HttpRequest, HttpResponse, Talk
from appliance.store.serve.protojson import JsonError, from_json, to_json
from appliance.store.serve.status import Refused, Status, refusal
from appliance.store.serve.websocket import Socket
from appliance.store.serve.wire import Message

_JSON = "application/json"
_KV, _LEASE = "etcdserverpb.KV", "etcdserverpb.Lease"
_CLUSTER, _CARE = "etcdserverpb.Cluster", "etcdserverpb.Maintenance"
_AUTH = "etcdserverpb.Auth"
_QUEUED_ANSWERS = 128
_GRPC = {"Grpc-Metadata-Content-Type": "application/grpc"}

ROUTES: Mapping[str, str] = {
    "kv/range": f"/{_KV}/Range",
    "kv/put": f"/{_KV}/Put",
    "kv/deleterange": f"/{_KV}/DeleteRange",
    "kv/txn": f"/{_KV}/Txn",
    "kv/compaction": f"/{_KV}/Compact",
    "watch": "/etcdserverpb.Watch/Watch",
    "lease/grant": f"/{_LEASE}/LeaseGrant",
    "lease/revoke": f"/{_LEASE}/LeaseRevoke",
    "lease/keepalive": f"/{_LEASE}/LeaseKeepAlive",
    "lease/timetolive": f"/{_LEASE}/LeaseTimeToLive",
    "lease/leases": f"/{_LEASE}/LeaseLeases",
    "kv/lease/revoke": f"/{_LEASE}/LeaseRevoke",
    "kv/lease/timetolive": f"/{_LEASE}/LeaseTimeToLive",
    "kv/lease/leases": f"/{_LEASE}/LeaseLeases",
    "lock/lock": "/v3lockpb.Lock/Lock",
    "lock/unlock": "/v3lockpb.Lock/Unlock",
    **{
        f"election/{name.lower()}": f"/v3electionpb.Election/{name}"
        for name in ("Campaign", "Proclaim", "Leader", "Observe", "Resign")
    },
    "cluster/member/add": f"/{_CLUSTER}/MemberAdd",
    "cluster/member/remove": f"/{_CLUSTER}/MemberRemove",
    "cluster/member/update": f"/{_CLUSTER}/MemberUpdate",
    "cluster/member/list": f"/{_CLUSTER}/MemberList",
    "cluster/member/promote": f"/{_CLUSTER}/MemberPromote",
    "maintenance/alarm": f"/{_CARE}/Alarm",
    "maintenance/status": f"/{_CARE}/Status",
    "maintenance/defragment": f"/{_CARE}/Defragment",
    "maintenance/hash": f"/{_CARE}/Hash",
    "maintenance/hashkv": f"/{_CARE}/HashKV",
    "maintenance/snapshot": f"/{_CARE}/Snapshot",
    "maintenance/transfer-leadership": f"/{_CARE}/MoveLeader",
    "maintenance/downgrade": f"/{_CARE}/Downgrade",
    "auth/enable": f"/{_AUTH}/AuthEnable",
    "auth/disable": f"/{_AUTH}/AuthDisable",
    "auth/status": f"/{_AUTH}/AuthStatus",
    "auth/authenticate": f"/{_AUTH}/Authenticate",
    "auth/user/add": f"/{_AUTH}/UserAdd",
    "auth/user/get": f"/{_AUTH}/UserGet",
    "auth/user/list": f"/{_AUTH}/UserList",
    "auth/user/delete": f"/{_AUTH}/UserDelete",
    "auth/user/changepw": f"/{_AUTH}/UserChangePassword",
    "auth/user/grant": f"/{_AUTH}/UserGrantRole",
    "auth/user/revoke": f"/{_AUTH}/UserRevokeRole",
    "auth/role/add": f"/{_AUTH}/RoleAdd",
    "auth/role/get": f"/{_AUTH}/RoleGet",
    "auth/role/list": f"/{_AUTH}/RoleList",
    "auth/role/delete": f"/{_AUTH}/RoleDelete",
    "auth/role/grant": f"/{_AUTH}/RoleGrantPermission",
    "auth/role/revoke": f"/{_AUTH}/RoleRevokePermission",
}
_HTTP: Mapping[Status, int] = {
    Status.CANCELED: 499,
    Status.INVALID_ARGUMENT: 400,
    Status.OUT_OF_RANGE: 400,
    Status.FAILED_PRECONDITION: 400,
    Status.NOT_FOUND: 404,
    Status.UNAUTHENTICATED: 401,
    Status.PERMISSION_DENIED: 403,
    Status.RESOURCE_EXHAUSTED: 429,
    Status.UNIMPLEMENTED: 501,
    Status.UNAVAILABLE: 503,
    Status.DEADLINE_EXCEEDED: 504,
}


class Gateway:
    """All routes below /v3."""

    def __init__(self, methods: Methods) -> None:
        self._methods = methods

    def serves(self, path: str) -> bool:
        """Whether a path is ours."""
        return self._method(path) is not None

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """A call of a path that is ours."""
        method = self._method(request.path)
        if method is None or request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"}, body=b"Method Not Allowed\n")
        caller = Caller(request.peer, request.headers)
        try:
            messages = [from_json(method.request, data) for data in _objects(request.body)]
            if isinstance(method, Streaming):
                return HttpResponse(content_type=_JSON, stream=_lines(method, messages, caller))
            answer = await method.handle(messages[0] if messages else method.request(), caller)
        except (Refused, StoreError, JsonError) as error:
            refused = _refused(error)
            status = _HTTP.get(refused.status, 500)
            return HttpResponse(status=status, content_type=_JSON, body=_dump(_error(refused)))
        return HttpResponse(content_type=_JSON, headers=_GRPC, body=_dump(to_json(answer)))

    def socket(self, request: HttpRequest) -> Talk | None:
        """The same over a WebSocket: requests and answers are texts of JSON."""
        method = self._method(request.path)
        if method is None:
            return None
        caller = Caller(request.peer, request.headers)
        return lambda socket: _talk(method, caller, socket)

    def _method(self, path: str) -> Method | None:
        name = path.removeprefix("/v3beta/" if path.startswith("/v3beta/") else "/v3/")
        return self._methods.get(ROUTES.get(name, "")) if name != path else None


def _objects(body: bytes) -> list[Any]:
    """The JSON objects of a body, one after the other."""
    try:
        text = body.decode().strip()
        found, decoder = [], json.JSONDecoder()
        while text:
            data, end = decoder.raw_decode(text)
            found.append(data)
            text = text[end:].strip()
    except ValueError as error:
        raise JsonError(f"invalid JSON: {error}") from error
    return found


def _refused(error: Refused | StoreError | JsonError) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, StoreError):
        return refusal(error)
    return Refused(Status.INVALID_ARGUMENT, str(error))


def _error(refused: Refused) -> dict[str, Any]:
    """Old clients read `error`, new ones `message`."""
    text = str(refused)
    return {"error": text, "code": int(refused.status), "message": text}


def _dump(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


async def _lines(
    method: Streaming, messages: list[Message], caller: Caller
) -> AsyncGenerator[bytes, None]:
    """What a stream answers, a line each; an error ends it."""
    stream = _BodyStream(messages, caller)
    async with Tasks("gateway") as tasks:
        running = tasks.spawn("stream", stream.run(method))
        while (answer := await stream.answers.get()) is not None:
            yield _dump({"result": to_json(answer)}) + b"\n"
        refused = await running
        if refused is not None:
            yield _dump({"error": _error(refused)}) + b"\n"


async def _talk(method: Method, caller: Caller, socket: Socket) -> None:
    stream = _SocketStream(method.request, caller, socket)
    try:
        if isinstance(method, Streaming):
            await method.handle(stream)
        else:
            async for request in stream:
                await socket.send(_dump(to_json(await method.handle(request, caller))))
                break
    except (Refused, StoreError, JsonError) as error:
        told = _error(_refused(error))
        await socket.send(_dump({"error": told} if isinstance(method, Streaming) else told))


class _SocketStream:
    """A stream whose requests come as texts."""

    def __init__(self, request: type[Message], caller: Caller, socket: Socket) -> None:
        self.caller = caller
        self._request = request
        self._socket = socket

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        text = await anext(self._socket)
        return from_json(self._request, _objects(text)[0] if text.strip() else {})

    async def send(self, message: Message) -> None:
        """Send an answer; returns when the client keeps up."""
        await self._socket.send(_dump({"result": to_json(message)}) + b"\n")


class _BodyStream:
    """A stream whose requests are all there; answers wait until they are written."""

    def __init__(self, messages: list[Message], caller: Caller) -> None:
        self.caller = caller
        self.answers: asyncio.Queue[Message | None] = asyncio.Queue(_QUEUED_ANSWERS)
        self._requests = deque(messages)

    async def run(self, method: Streaming) -> Refused | None:
        """Run the handler; how it was refused, if it was."""
        try:
            await method.handle(self)
        except (Refused, StoreError) as error:
            return _refused(error)
        finally:
            await self.answers.put(None)
        return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        if not self._requests:
            raise StopAsyncIteration
        return self._requests.popleft()

    async def send(self, message: Message) -> None:
        """Queue an answer."""
        await self.answers.put(message)
