"""The tree on a store: what is kept, what is told, when it expires, and who may."""

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import FROM_KEY
from appliance.store.memory import MemoryStore
from appliance.store.serve.alarms import NOSPACE, Alarms
from appliance.store.serve.auth.book import AuthBook
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.tokens import SimpleTokens
from appliance.store.serve.http1 import HttpRequest, HttpResponse
from appliance.store.serve.identity import Identity
from appliance.store.serve.messages import auth as pb
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import Quota
from appliance.store.serve.v2.keys import PREFIX
from appliance.store.serve.v2.pages import V2Pages

ME = Identity(cluster_id=0xC1, member_id=0xA1)


class Server:
    """The pages of one store."""

    def __init__(self, store: MemoryStore, clock: FakeClock) -> None:
        self.quota = Quota(store, Alarms(store), ME.member_id, -1)
        self.guard = Guard(store, AuthBook(store), SimpleTokens(clock))
        self.pages = V2Pages(Parts(store, ME, self.quota, self.guard, clock))

    async def ask(
        self, method: str, path: str, *, user: str = "", **fields: str
    ) -> tuple[int, Any]:
        response = await self.response(method, path, user=user, **fields)
        assert response.stream is None
        return response.status, json.loads(response.body)

    async def response(
        self, method: str, path: str, *, user: str = "", **fields: str
    ) -> HttpResponse:
        form = method in {"PUT", "POST"}
        headers = {b"content-type": b"application/x-www-form-urlencoded"}
        if user:
            headers[b"authorization"] = b"Basic " + base64.b64encode(user.encode())
        request = HttpRequest(
            method=method,
            path=f"/v2/keys/{path}",
            query={} if form else {name: [value] for name, value in fields.items()},
            headers=headers,
            body=urlencode(fields).encode() if form else b"",
            keep_alive=True,
        )
        return await self.pages.answer(request)

    async def value(self, path: str) -> str | None:
        status, data = await self.ask("GET", path)
        return str(data["node"]["value"]) if status == 200 else None

    async def wait(self, path: str, **more: str) -> AsyncGenerator[bytes, None]:
        response = await self.response("GET", path, wait="true", **more)
        assert response.stream is not None
        return response.stream


@pytest.fixture
async def server(store: MemoryStore, clock: FakeClock) -> AsyncIterator[Server]:
    made = Server(store, clock)
    yield made
    await made.pages.close()


async def test_a_change_is_one_revision_and_the_tree_is_kept(
    server: Server, store: MemoryStore, clock: FakeClock
) -> None:
    for path in ("a", "d/x", "d/e/y"):
        status, data = await server.ask("PUT", path, value="1")
        assert status == 201
        assert data["node"]["modifiedIndex"] == (await store.status()).revision
    await server.ask("PUT", "a", value="2", prevExist="true")
    await server.ask("DELETE", "d", recursive="true")
    assert (await store.status()).revision == 6
    again = Server(store, clock)
    assert await again.ask("GET", "", recursive="true") == await server.ask(
        "GET", "", recursive="true"
    )
    assert (await again.ask("GET", "a"))[1]["node"] == {
        "key": "/a",
        "value": "2",
        "modifiedIndex": 5,
        "createdIndex": 2,
    }
    await again.pages.close()


async def test_history_outlives_the_server(
    server: Server, store: MemoryStore, clock: FakeClock
) -> None:
    for value in ("1", "2", "3"):
        await server.ask("PUT", "a", value=value)
    again = Server(store, clock)
    seen = [json.loads(line) async for line in await again.wait("a", waitIndex="3")]
    assert [event["node"]["value"] for event in seen] == ["2"]
    assert seen[0]["prevNode"]["value"] == "1"
    await again.pages.close()


async def test_what_is_compacted_cannot_be_waited_for(
    server: Server, store: MemoryStore, clock: FakeClock
) -> None:
    for value in ("1", "2", "3"):
        await server.ask("PUT", "a", value=value)
    await store.compact(3)
    again = Server(store, clock)
    status, data = await again.ask("GET", "a", wait="true", waitIndex="2")
    assert (status, data["errorCode"]) == (400, 401)
    (line,) = [line async for line in await again.wait("a", waitIndex="4")]
    assert json.loads(line)["node"]["value"] == "3"
    await again.pages.close()


async def test_two_masters_see_each_others_changes_before_they_write(
    server: Server, store: MemoryStore, clock: FakeClock
) -> None:
    other = Server(store, clock)
    await server.ask("PUT", "a", value="1")
    await other.ask("PUT", "b", value="1")
    status, data = await server.ask("PUT", "b", value="2", prevValue="1")
    assert (status, data["action"]) == (200, "compareAndSwap")
    status, _ = await other.ask("PUT", "a", value="x", prevExist="false")
    assert status == 412
    waiting = await other.wait("", recursive="true")
    await server.ask("PUT", "c", value="1")
    await other.ask("PUT", "d", value="1")
    events = [json.loads(line) async for line in waiting]
    assert [event["node"]["key"] for event in events] == ["/c"]
    await other.pages.close()


async def test_who_deletes_our_keys_by_v3_empties_the_tree(
    server: Server, store: MemoryStore
) -> None:
    await server.ask("PUT", "a", value="1")
    await ops.delete(store, PREFIX, FROM_KEY)
    assert (await server.ask("PUT", "b", value="1"))[0] == 201
    assert await server.value("a") is None


async def test_v3_watchers_see_the_tree_as_keys(server: Server, store: MemoryStore) -> None:
    await server.ask("PUT", "d/x", value="1")
    kv = await ops.get(store, PREFIX + b"n/d/x")
    assert kv is not None
    assert json.loads(kv.value)["v"] == "1"


async def test_keys_expire_in_their_order(server: Server, clock: FakeClock) -> None:
    await server.ask("PUT", "late", value="1", ttl="20")
    await server.ask("PUT", "soon", value="1", ttl="10")
    await server.ask("PUT", "d", dir="true", ttl="10")
    await server.ask("PUT", "d/x", value="1")
    await server.ask("PUT", "renewed", value="1", ttl="10")
    await server.ask("PUT", "renewed", refresh="true", ttl="30")
    waiting = await server.wait("", recursive="true", stream="true")
    await clock.advance(10)
    assert json.loads(await anext(waiting))["action"] == "expire"
    assert json.loads(await anext(waiting))["node"]["dir"] is True
    assert await server.value("soon") is None
    assert await server.value("d/x") is None
    assert await server.value("late") == "1"
    await clock.advance(10)
    assert json.loads(await anext(waiting))["node"]["key"] == "/late"
    assert await server.value("renewed") == "1"
    await waiting.aclose()


async def test_what_was_due_while_nobody_ran_expires_at_the_first_look(
    server: Server, store: MemoryStore, clock: FakeClock
) -> None:
    await server.ask("PUT", "a", value="1", ttl="10")
    await server.pages.close()
    await clock.advance(60)
    again = Server(store, clock)
    await again.ask("GET", "a")
    await clock.advance(0)
    assert await again.value("a") is None
    await again.pages.close()


async def test_a_watcher_that_does_not_read_is_closed(server: Server) -> None:
    waiting = await server.wait("a", stream="true")
    for _ in range(150):
        await server.ask("PUT", "a", value="1")
    assert len([line async for line in waiting]) == 100


async def test_a_watcher_that_leaves_is_forgotten(server: Server) -> None:
    waiting = await server.wait("a", stream="true")
    await server.ask("PUT", "a", value="1")
    await anext(waiting)
    assert (await _store_stats(server))["watchers"] == 1
    await waiting.aclose()
    assert (await _store_stats(server))["watchers"] == 0


async def _store_stats(server: Server) -> Any:
    request = HttpRequest("GET", "/v2/stats/store", {}, {}, b"", keep_alive=True)
    return json.loads((await server.pages.answer(request)).body)


async def test_a_directory_of_many_keys_goes_in_one_revision(
    server: Server, store: MemoryStore
) -> None:
    for number in range(200):
        await server.ask("PUT", f"d/{number}", value="1")
    revision = (await store.status()).revision
    await server.ask("DELETE", "d", recursive="true")
    assert (await store.status()).revision == revision + 1
    assert (await server.ask("GET", "d"))[0] == 404


async def test_the_quota_holds_for_the_tree_too(server: Server) -> None:
    await server.ask("PUT", "a", value="1")
    await server.quota.alarms.raise_(ME.member_id, NOSPACE)
    status, data = await server.ask("PUT", "b", value="1")
    assert (status, data["errorCode"]) == (500, 300)
    assert "database space exceeded" in data["cause"]
    assert (await server.ask("GET", "b"))[0] == 404
    await server.quota.alarms.lift(ME.member_id, NOSPACE)
    assert (await server.ask("PUT", "b", value="1"))[0] == 201


async def test_where_calls_are_checked_the_tree_is_for_users(server: Server) -> None:
    await server.ask("PUT", "a", value="1")
    book = server.guard.book
    for name in ("root", "alice"):
        await book.add_user(
            pb.User(name=name.encode(), password=await server.guard.passwords.hashed("x"))
        )
    await book.grant_role("root", "root")
    await book.add_role("reader")
    await book.grant("reader", pb.Permission(permType=0, key=PREFIX + b"n/a"))
    await book.grant_role("alice", "reader")
    await book.enable()
    for user in ("", "alice:wrong", "nobody:x"):
        status, data = await server.ask("GET", "a", user=user)
        assert (status, data["errorCode"]) == (401, 110)
    assert (await server.ask("GET", "a", user="alice:x"))[0] == 200
    assert (await server.ask("GET", "b", user="alice:x"))[0] == 401
    assert (await server.ask("PUT", "a", user="alice:x", value="2"))[0] == 401
    assert (await server.ask("PUT", "a", user="root:x", value="2"))[0] == 200
