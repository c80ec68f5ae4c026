"""The guestbook's two programs: whom they talk to, and how."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from examples.guestbook.answers import wait
from examples.guestbook.images import frontend
from examples.guestbook.images.redis import arguments

BY_VARIABLES = {
    "GET_HOSTS_FROM": "env",
    "REDIS_MASTER_SERVICE_HOST": "10.43.0.7",
    "REDIS_MASTER_SERVICE_PORT": "6380",
}


def test_a_master_follows_nobody() -> None:
    assert "--replicaof" not in arguments({"ROLE": "master"})


@pytest.mark.parametrize(
    ("environment", "master"),
    [({}, ["redis-master", "6379"]), (BY_VARIABLES, ["10.43.0.7", "6380"])],
)
def test_a_replica_finds_its_master_by_name_or_by_variables(
    environment: dict[str, str], master: list[str]
) -> None:
    assert arguments({"ROLE": "slave", **environment})[-3:] == ["--replicaof", *master]
    assert frontend.where("master", environment) == (master[0], int(master[1]))


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A redis that knows one answer; gives what it was asked."""
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(1000))
            connection.sendall(b"$11\r\nhello world\r\n" if b"GET" in asked[0] else b"+OK\r\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    monkeypatch.setattr(frontend, "where", lambda *_: listener.getsockname())
    yield asked
    listener.close()


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(frontend.Guestbook, "log_request", lambda *_: None)
    with frontend.Server(("127.0.0.1", 0), frontend.Guestbook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())


def test_what_was_said_is_read(redis: list[bytes], url: str) -> None:
    assert json.loads(fetch(f"{url}/?cmd=get&key=messages")) == {"data": "hello world"}
    assert redis == [b"*2\r\n$3\r\nGET\r\n$8\r\nmessages\r\n"]


def test_what_is_said_is_written(redis: list[bytes], url: str) -> None:
    assert json.loads(fetch(f"{url}/?cmd=set&key=messages&value=h%C3%A9")) == {"message": "Updated"}
    assert redis == ["*3\r\n$3\r\nSET\r\n$8\r\nmessages\r\n$3\r\nhé\r\n".encode()]


def test_the_page_and_the_health_check_need_no_redis(url: str) -> None:
    assert b"<h1>Guestbook</h1>" in fetch(url)
    assert fetch(f"{url}/healthz") == b"ok\n"


def test_a_missing_redis_is_said_to_be_missing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "where", lambda *_: ("127.0.0.1", 1))
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(f"{url}/?cmd=get")
    with refused.value as answer:
        assert answer.code == 503
        assert "refused" in json.load(answer)["error"]


def test_waiting_for_a_guestbook_ends_when_it_answers(redis: list[bytes], url: str) -> None:
    assert wait(f"{url}/", deadline_s=5) == ""
    assert redis


def test_waiting_for_a_guestbook_gives_up_and_says_why() -> None:
    assert "refused" in wait("http://127.0.0.1:1/", deadline_s=0)
