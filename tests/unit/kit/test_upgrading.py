"""Asking for another protocol, and connections in general."""

import asyncio
import socket

import pytest

from appliance.kit.duplex import Duplex, connect_socket, first_of, splice
from appliance.kit.upgrading import (
    NotHttp,
    ask,
    parse_head,
    refusal,
    request_bytes,
    wants_upgrade,
)


async def pair() -> tuple[Duplex, Duplex]:
    ends = socket.socketpair()
    return tuple([Duplex(*await asyncio.open_connection(sock=end)) for end in ends])  # type: ignore[return-value]


def test_requests_and_heads() -> None:
    assert request_bytes("POST", "/x", [("Host", "h")], b"{}") == (
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert parse_head(b"HTTP/1.1 404 Not Found\r\nContent-Length:  5 \r\n\r\n").headers == {
        "content-length": "5"
    }
    for odd in (b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\r\n\r\n"):
        with pytest.raises(NotHttp):
            parse_head(odd)


@pytest.mark.parametrize(
    ("headers", "wants"),
    [
        ({b"connection": b"keep-alive, Upgrade", b"upgrade": b"SPDY/3.1"}, True),
        ({b"connection": b"keep-alive", b"upgrade": b"websocket"}, False),
        ({b"connection": b"upgrade"}, False),
    ],
)
def test_who_wants_an_upgrade(headers: dict[bytes, bytes], wants: bool) -> None:
    assert wants_upgrade(headers) is wants


async def test_what_follows_a_head_stays_in_the_reader() -> None:
    ours, theirs = await pair()
    await theirs.write(b"HTTP/1.1 101 UPGRADED\r\n\r\nrest")
    assert (await ask(ours, b"?")).status == 101
    assert await ours.read() == b"rest"
    await ours.close()
    await theirs.close()


async def test_a_refusal_ends_at_its_length() -> None:
    ours, theirs = await pair()
    await theirs.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nwhyrest")
    answer = await ask(ours, b"?")
    assert await refusal(ours, answer) == b"why"
    await theirs.close()
    with pytest.raises(NotHttp):
        await ask(ours, b"?")
    await ours.close()


async def test_a_splice_delivers_all_and_ends_with_either_side() -> None:
    (client, left), (right, server) = await pair(), await pair()
    joined = asyncio.ensure_future(splice(left, right))
    await client.write(b"a" * 200_000)
    await client.close()
    await joined
    await right.close()
    assert await server.reader.read() == b"a" * 200_000
    await left.close()
    await server.close()


async def test_the_first_to_end_ends_the_others() -> None:
    ended = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    async def fails() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        await first_of(waits(), fails())
    assert ended == ["waits"]


async def test_a_socket_that_reaches_nobody_is_closed() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    sock = socket.socket()
    with pytest.raises(ConnectionRefusedError):
        await connect_socket(sock, ("127.0.0.1", port))
    assert sock.fileno() == -1
