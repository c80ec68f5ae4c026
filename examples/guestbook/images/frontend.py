"""The guestbook's web page: writes go to the redis master, reads to the replicas.

GET /                                     the page
GET /?cmd=set&key=messages&value=hello    {"message": "Updated"}
GET /?cmd=get&key=messages                {"data": "hello"}
GET /healthz                              ok

Standard library only. GET_HOSTS_FROM=dns (default) finds redis by service names,
GET_HOSTS_FROM=env by the variables that Kubernetes sets for services.
"""

import json
import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from urllib.parse import parse_qs, urlsplit

TIMEOUT_S = 5.0
MAX_VALUE_BYTES = 1 << 20  # a guestbook entry is a few words; redis would take 512 MB

PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Guestbook</title>
<style>
  body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; }
  input { font: inherit; width: 70%; }
  button { font: inherit; }
</style>
<h1>Guestbook</h1>
<form id="form">
  <input id="entry" placeholder="Say something" autofocus> <button>Send</button>
</form>
<ul id="entries"></ul>
<script>
  const list = document.getElementById("entries"), entry = document.getElementById("entry");
  const call = (query) => fetch("?" + new URLSearchParams(query)).then((answer) => answer.json());
  let said = [];
  const show = () => list.replaceChildren(...said.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
  const read = async () => {
    const { data } = await call({ cmd: "get", key: "messages" });
    said = data.split(",").filter((text) => text);
    show();
  };
  document.getElementById("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    said.push(entry.value.replaceAll(",", ";"));
    entry.value = "";
    show();
    await call({ cmd: "set", key: "messages", value: said.join(",") });
  });
  read();
</script>
</html>
"""


class RedisError(Exception):
    """Redis answered with an error, or not at all."""


def where(role: str, environment: dict[str, str]) -> tuple[str, int]:
    """Host and port of the redis service "master" or "slave"."""
    prefix = f"REDIS_{role.upper()}_SERVICE"
    if environment.get("GET_HOSTS_FROM", "dns") == "env":
        return environment[f"{prefix}_HOST"], int(environment[f"{prefix}_PORT"])
    return f"redis-{role}", 6379


def request(words: list[bytes]) -> bytes:
    """A command in redis's protocol: an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def ask(role: str, *words: str) -> str:
    """Send one command to the master or a replica; "" if redis has no such value."""
    with socket.create_connection(where(role, dict(os.environ)), timeout=TIMEOUT_S) as connection:
        connection.sendall(request([word.encode() for word in words]))
        with connection.makefile("rb") as answer:
            head = answer.readline().rstrip()
            if head.startswith(b"$"):
                length = int(head[1:])
                return "" if length < 0 else answer.read(length).decode(errors="replace")
    if head.startswith(b"+"):
        return head[1:].decode()
    raise RedisError(head[1:].decode(errors="replace") or "no answer")


class Guestbook(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the page, a command, or the health check."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/healthz":
            self._answer(200, "text/plain", b"ok\n")
        elif url.path != "/":
            self._answer(404, "text/plain", b"not found\n")
        elif "cmd" not in query:
            self._answer(200, "text/html; charset=utf-8", PAGE)
        else:
            self._command(query)

    def _command(self, query: dict[str, str]) -> None:
        key, value = query.get("key", "messages"), query.get("value", "")
        try:
            if query["cmd"] == "set" and len(value) <= MAX_VALUE_BYTES:
                ask("master", "SET", key, value)
                status, body = 200, {"message": "Updated"}
            elif query["cmd"] == "get":
                status, body = 200, {"data": ask("slave", "GET", key)}
            else:
                status, body = 400, {"error": "cmd is get or set, and a value at most 1 MiB"}
        except (OSError, RedisError, KeyError) as error:
            status, body = 503, {"error": f"redis: {error}"}
        self._answer(status, "application/json", json.dumps(body).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """The caller's address; never a look-up of its name."""
        return str(self.client_address[0])

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Health checks are not worth a line."""
        if self.path != "/healthz":
            super().log_request(code, size)


class Server(ThreadingHTTPServer):
    """The listener; a new connection never waits for an old one."""

    daemon_threads = True
    request_queue_size = 128


def stop(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM: as process 1 of a container we would not die of it unasked."""
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """Say what services we know of, then serve."""
    signal.signal(signal.SIGTERM, stop)
    for name in sorted(os.environ):
        if "_SERVICE_" in name:
            print(f"{name}={os.environ[name]}", flush=True)  # noqa: T201 - a container's log
    Server(("", int(os.environ.get("PORT", "80"))), Guestbook).serve_forever()


if __name__ == "__main__":
    main()
