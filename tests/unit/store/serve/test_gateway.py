"""JSON over HTTP: names, numbers, bytes, errors, streams; and the pages beside it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

from appliance.kit.clock import FakeClock
from appliance.store.memory import MemoryStore
from appliance.store.ops import put
from appliance.store.serve.messages import kv, maintenance, watch
from appliance.store.serve.protojson import JsonError, from_json, to_json
from appliance.store.serve.server import EtcdServer
from tests.unit.store.serve.conftest import ME


@pytest.fixture
async def port(store: MemoryStore, clock: FakeClock) -> AsyncIterator[int]:
    server = EtcdServer(store, ME, clock)
    yield await server.listen("127.0.0.1", 0)
    await server.stop()


async def exchange(port: int, *requests: bytes) -> bytes:
    """Send all at once on one connection, read until it ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(requests))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def request(method: str, path: str, body: str = "", *, last: bool = True) -> bytes:
    connection = "Connection: close\r\n" if last else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\n{connection}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def post(port: int, path: str, body: str) -> tuple[int, Any]:
    head, _, text = (await exchange(port, request("POST", path, body))).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(text)


async def test_a_put_and_a_range(port: int) -> None:
    code, answer = await post(port, "/v3/kv/put", '{"key": "Zm9v", "value": "YmFy"}')
    assert code == 200
    assert answer["header"] == {
        "cluster_id": "11",
        "member_id": "22",
        "revision": "2",
        "raft_term": "2",
    }
    code, answer = await post(port, "/v3/kv/range", '{"key": "Zg==", "rangeEnd": "Zw=="}')
    assert (answer["count"], answer["kvs"][0]["value"]) == ("1", "YmFy")


@pytest.mark.parametrize(
    ("path", "body", "code", "status", "text"),
    [
        ("kv/range", '{"key": "Zg==", "revision": "9"}', 400, 11, "is a future revision"),
        ("kv/range", "{}", 400, 3, "key is not provided"),
        ("kv/range", '{"key": "!"}', 400, 3, "illegal base64 data at input byte 0"),
        ("kv/range", '{"key": 5}', 400, 3, "key cannot be 5"),
        ("kv/range", '{"key": "Zg==", "limit": true}', 400, 3, "limit cannot be True"),
        ("kv/range", "{", 400, 3, "invalid JSON"),
        ("kv/range", "[]", 400, 3, "cannot unmarshal"),
        ("lease/revoke", '{"ID": 7}', 404, 5, "requested lease not found"),
        ("cluster/member/add", '{"peerURLs": ["http://a:1"]}', 400, 9, "not enough started"),
    ],
)
async def test_refusals(port: int, path: str, body: str, code: int, status: int, text: str) -> None:
    got, answer = await post(port, f"/v3/{path}", body)
    assert (got, answer["code"]) == (code, status)
    assert text in answer["message"]
    assert answer["error"] == answer["message"]


async def test_a_stream_is_lines_until_the_client_goes(port: int, store: MemoryStore) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = '{"create_request": {"key": "YQ==", "filters": ["NODELETE"]}}'
    writer.write(request("POST", "/v3/watch", body))
    await reader.readuntil(b"\r\n\r\n")

    async def line() -> Any:
        size = int(await reader.readline(), 16)
        return json.loads(await reader.readexactly(size + 2))

    assert (await line())["result"]["created"] is True
    await put(store, b"a", b"1")
    event = (await line())["result"]["events"][0]
    assert event["kv"]["value"] == "MQ=="
    assert "type" not in event, "PUT is the zero of its enum"
    writer.close()
    await writer.wait_closed()


async def test_requests_in_a_row_are_answered_in_order(port: int) -> None:
    first = request("GET", "/version", last=False)
    answer = await exchange(port, first, request("GET", "/health"))
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"etcdserver") < answer.index(b'"health":"true"')


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (request("GET", "/v3/kv/range"), 405),
        (request("POST", "/health"), 405),
        (request("GET", "/nothing"), 404),
        (request("POST", "/v3/no/such", "{}"), 404),
        (request("GET", "/metrics"), 200),
        (request("HEAD", "/readyz"), 200),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 400),
    ],
    ids=["get", "post", "page", "route", "metrics", "head", "nonsense", "large"],
)
async def test_other_requests(port: int, what: bytes, code: int) -> None:
    assert (await exchange(port, what)).startswith(b"HTTP/1.1 %d " % code)


async def test_a_closed_store_is_not_healthy(port: int, store: MemoryStore) -> None:
    await store.close()
    answer = await exchange(port, request("GET", "/health"))
    assert answer.startswith(b"HTTP/1.1 503")
    assert b'{"health":"false","reason":"RANGE ERROR:etcdserver: server stopped"}' in answer


def test_enums_have_names_and_hashes_are_numbers() -> None:
    ranged = from_json(kv.RangeRequest, {"sortOrder": "DESCEND", "sort_target": 3, "new": 1})
    assert (ranged.sort_order, ranged.sort_target) == (2, 3)
    assert to_json(ranged) == {"sort_order": "DESCEND", "sort_target": "MOD"}
    assert to_json(watch.Event(type=1)) == {"type": "DELETE"}
    assert to_json(maintenance.HashKVResponse(hash=5, hash_revision=6)) == {
        "hash": 5,
        "hash_revision": "6",
    }
    with pytest.raises(JsonError, match="sort_order cannot be 'UP'"):
        from_json(kv.RangeRequest, {"sort_order": "UP"})


async def test_a_watch_over_a_websocket_takes_requests_as_it_goes(
    port: int, store: MemoryStore
) -> None:
    async with connect(f"ws://127.0.0.1:{port}/v3/watch", proxy=None) as client:

        async def heard() -> Any:
            return json.loads(await client.recv())["result"]

        await client.send('{"create_request": {"key": "YQ=="}}')
        assert (await heard())["created"] is True
        await put(store, b"a", b"1")
        assert (await heard())["events"][0]["kv"]["value"] == "MQ=="
        await client.send('{"create_request": {"key": "Yg==", "watch_id": "7"}}')
        assert (await heard())["watch_id"] == "7"
        await client.ping()
        await client.send('{"cancel_request": {"watch_id": "7"}}')
        assert (await heard())["canceled"] is True
        await client.send("nonsense")
        assert "invalid JSON" in json.loads(await client.recv())["error"]["message"]
        with pytest.raises(ConnectionClosedOK):
            await client.recv()


async def test_one_call_over_a_websocket(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/v3/kv/put", proxy=None) as client:
        await client.send('{"key": "YQ==", "value": "MQ=="}')
        assert json.loads(await client.recv())["header"]["revision"] == "2"
    async with connect(f"ws://127.0.0.1:{port}/v3/kv/range", proxy=None) as client:
        await client.send("{}")
        assert json.loads(await client.recv())["code"] == 3


async def test_a_websocket_that_is_closed_ends_its_watch(
    port: int, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(f"ws://127.0.0.1:{port}/v3/watch", proxy=None) as client:
        await client.send('{"create_request": {"key": "YQ=="}}')
        await client.recv()
        assert len(store._hub) == 1
        ended, forget = asyncio.Event(), store._hub.forget
        monkeypatch.setattr(store._hub, "forget", lambda one: (forget(one), ended.set()))
    async with asyncio.timeout(5):
        await ended.wait()
    assert len(store._hub) == 0


async def test_no_websocket_elsewhere(port: int) -> None:
    for path in ("/v2/keys/", "/metrics", "/v3/nothing"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}{path}", proxy=None)
        assert refused.value.response.status_code == 501
