"""The v2 API over HTTP: keys, machines, members, statistics.

When calls are checked (`auth enable`), users of the keys API show name and password (HTTP Basic)
and need permissions on the keys that hold the tree (`keys.PREFIX`).

Source: etcd server/etcdserver/api/v2http/client.go.
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from appliance.kit.clock import rfc3339_micro
from appliance.kit.tasks import Tasks
from appliance.store.base import NO_END, prefix_end
from appliance.store.serve.auth.permissions import Access
from appliance.store.serve.auth.refusals import AuthRefused
from appliance.store.serve.auth.tokens import Who
from appliance.store.serve.http1 import HttpRequest, HttpResponse
from appliance.store.serve.parts import Parts
from appliance.store.serve.v2.errors import Code, V2Error
from appliance.store.serve.v2.form import KEYS, KeyRequest, parse
from appliance.store.serve.v2.history import EventWatcher
from appliance.store.serve.v2.keys import PREFIX, V2Keys
from appliance.store.serve.v2.nodes import Event
from appliance.store.serve.v2.tree import Change, Plan, Tree

_JSON = "application/json"
_SILENT = {"set", "create", "update", "compareAndSwap"}
_COUNTED = ("gets", "sets", "delete", "update", "create", "compareAndSwap", "compareAndDelete")
_COUNTERS = {"get": "gets", "set": "sets"}
_MEMBERS = "/v2/members"
_Page = Callable[[HttpRequest], Awaitable[HttpResponse]]


class V2Pages:
    """Everything below /v2."""

    def __init__(self, parts: Parts) -> None:
        identity, clock = parts.identity, parts.clock
        self._identity = identity
        self._guard = parts.guard
        self._clock = clock
        self._tasks = Tasks("v2", clock)
        self._keys = V2Keys(parts.store, parts.quota, clock, self._tasks)
        self._counts: Counter[str] = Counter()
        self._started = rfc3339_micro(clock.wall())
        self._id = f"{identity.member_id:x}"
        self._pages: dict[str, _Page] = {
            "/v2/machines": self._machines,
            "/v2/stats/self": self._stats_self,
            "/v2/stats/store": self._stats_store,
            "/v2/stats/leader": self._stats_leader,
        }

    def serves(self, path: str) -> bool:
        """Whether a path is ours."""
        return path.startswith("/v2/")

    async def close(self) -> None:
        """End all waiting."""
        self._keys.close()
        await self._tasks.close()

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """A request that is ours."""
        path = request.path
        if path == KEYS or path.startswith(KEYS + "/"):
            return await self._serve_keys(request)
        if path == _MEMBERS or path.startswith(_MEMBERS + "/"):
            return self._members(request)
        if path not in self._pages:
            return HttpResponse(status=404, body=b"404 page not found\n")
        if request.method not in {"GET", "HEAD"}:
            return _not_allowed("GET")
        return await self._pages[path](request)

    # Keys

    async def _serve_keys(self, request: HttpRequest) -> HttpResponse:
        if request.method not in {"HEAD", "GET", "PUT", "POST", "DELETE"}:
            return _not_allowed("HEAD,GET,PUT,POST,DELETE")
        counted = ""
        try:
            asked = parse(request, self._clock.wall())
            await self._check(request, asked)
            await self._keys.ready()
            if asked.wait:
                return self._wait(asked)
            counted = action = _action(request.method, asked)
            if action == "get":
                response = self._get(asked)
            else:
                event = await self._change(action, asked.change, request)
                response = self._event(event, asked)
        except V2Error as error:
            if counted:
                self._counts[_COUNTERS.get(counted, counted) + "Fail"] += 1
            headers = {**self._headers(error.index, of_raft=False)}
            return _json(error.data(), error.status, headers)
        self._counts[_COUNTERS.get(counted, counted) + "Success"] += 1
        return response

    async def _change(self, action: str, change: Change, request: HttpRequest) -> Event:
        if request.method == "POST":  # in order: named by its index
            index = await self._keys.next_index()
            change = replace(change, key=f"{change.key}/{index:020d}")
        planners: dict[str, Callable[[Tree], Plan]] = {
            "set": lambda tree: tree.set(change),
            "create": lambda tree: tree.create(change),
            "update": lambda tree: tree.update(change),
            "compareAndSwap": lambda tree: tree.compare_and_swap(change),
            "delete": lambda tree: tree.delete(change),
            "compareAndDelete": lambda tree: tree.compare_and_delete(change),
        }
        return await self._keys.change(planners[action], request.peer)

    def _get(self, asked: KeyRequest) -> HttpResponse:
        node = self._keys.tree.get(asked.change.key)
        data = node.data(self._clock.wall(), recursive=asked.recursive)
        headers = self._headers(self._keys.tree.index)
        return _json({"action": "get", "node": data}, 200, headers)

    def _event(self, event: Event, asked: KeyRequest) -> HttpResponse:
        data = event.data(self._clock.wall())
        if asked.no_value and event.action in _SILENT:
            data = {"action": event.action}
        return _json(data, 201 if event.creates else 200, self._headers(event.index))

    def _wait(self, asked: KeyRequest) -> HttpResponse:
        key, index = asked.change.key, self._keys.tree.index
        watcher = EventWatcher(key, recursive=asked.recursive, stream=asked.stream)
        self._keys.watch(watcher, asked.wait_index)
        headers = self._headers(index)
        return HttpResponse(content_type=_JSON, headers=headers, stream=self._told(watcher))

    async def _told(self, watcher: EventWatcher) -> AsyncGenerator[bytes, None]:
        async with aclosing(watcher.events()) as events:
            async for event in events:
                yield _dump(event.data(self._clock.wall())) + b"\n"

    def _headers(self, index: int, *, of_raft: bool = True) -> dict[str, str]:
        headers = {
            "X-Etcd-Cluster-Id": f"{self._identity.cluster_id:x}",
            "X-Etcd-Index": str(index),
        }
        raft = {"X-Raft-Index": str(index), "X-Raft-Term": str(self._identity.raft_term)}
        return headers | raft if of_raft else headers

    # Who asks

    async def _check(self, request: HttpRequest, asked: KeyRequest) -> None:
        if not self._guard.enabled:
            return
        who = await self._who(request)
        key = PREFIX + b"n" + asked.change.key.encode()
        access = Access.READ if request.method in {"GET", "HEAD"} else Access.WRITE
        try:
            self._guard.check(who, access, key)
            if asked.recursive or request.method == "POST":
                self._guard.check(who, access, key + b"/", prefix_end(key + b"/") or NO_END)
        except AuthRefused as refused:
            raise V2Error(Code.UNAUTHORIZED, "Insufficient credentials") from refused

    async def _who(self, request: HttpRequest) -> Who:
        kind, _, text = request.headers.get(b"authorization", b"").partition(b" ")
        try:
            name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Who()
        user = self._guard.book.state.users.get(name)
        kept = b"" if user is None else user.password
        if kind.lower() != b"basic" or not await self._guard.passwords.matches(password, kept):
            return Who()
        return Who(name, self._guard.book.state.revision)

    # The rest

    def _members(self, request: HttpRequest) -> HttpResponse:
        headers = {"X-Etcd-Cluster-Id": f"{self._identity.cluster_id:x}"}
        rest = request.path.removeprefix(_MEMBERS).strip("/")
        me = {
            "id": self._id,
            "name": self._identity.name,
            "peerURLs": list(self._identity.peer_urls),
            "clientURLs": list(self._identity.client_urls),
        }
        if request.method == "GET":
            pages: dict[str, dict[str, Any]] = {"": {"members": [me]}, "leader": me}
            found = pages.get(rest)
            if found is not None:
                return _json(found, 200, headers)
            return _json({"message": "Not found"}, 404, headers)
        if request.method not in {"POST", "DELETE", "PUT"}:
            return _not_allowed("GET,POST,DELETE,PUT")
        if rest not in {"", self._id}:
            return _json({"message": f"No such member: {rest}"}, 404, headers)
        # One member stays one: there is no quorum for another, nor without it.
        return _json({"message": "Internal Server Error"}, 500, headers)

    async def _machines(self, request: HttpRequest) -> HttpResponse:
        del request
        return HttpResponse(body=", ".join(self._identity.client_urls).encode())

    async def _stats_self(self, request: HttpRequest) -> HttpResponse:
        del request
        leader = {"leader": self._id, "uptime": "", "startTime": self._started}
        counts = {"recvAppendRequestCnt": 0, "sendAppendRequestCnt": 0}
        me = {"name": self._identity.name, "id": self._id, "state": "StateLeader"}
        return _json({**me, "startTime": self._started, "leaderInfo": leader, **counts})

    async def _stats_store(self, request: HttpRequest) -> HttpResponse:
        del request
        names = [name + how for name in _COUNTED for how in ("Success", "Fail")]
        counts = {name: self._counts[name] for name in names}
        counts["expireCount"] = self._keys.expired
        return _json({**counts, "watchers": len(self._keys.history)})

    async def _stats_leader(self, request: HttpRequest) -> HttpResponse:
        del request
        return _json({"leader": self._id, "followers": {}})


def _action(method: str, asked: KeyRequest) -> str:
    """What a request does, as etcd tells it."""
    compares = bool(asked.change.prev_index or asked.change.prev_value)
    if method in {"GET", "HEAD"}:
        return "get"
    if method == "POST":
        return "create"
    if method == "DELETE":
        return "compareAndDelete" if compares else "delete"
    if asked.prev_exist is False:
        return "create"
    if compares:
        return "compareAndSwap"
    return "update" if asked.prev_exist else "set"


def _json(
    data: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    body = _dump(data) + b"\n"
    return HttpResponse(status=status, content_type=_JSON, headers=headers or {}, body=body)


def _dump(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def _not_allowed(allowed: str) -> HttpResponse:
    return HttpResponse(status=405, headers={"Allow": allowed}, body=b"Method Not Allowed\n")
