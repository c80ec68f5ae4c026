"""A pod that says who it is and asks others: runs inside pods of tests, standard library only.

any method, any path    who answers, and what was asked
/tcp?host=&port=&tries=   ask others like itself, a new connection each time: who answered
/udp?host=&port=&tries=   the same by datagrams
/dns?name=&type=&tcp=&search=   a question to the servers of resolv.conf, with its search list
/look?name=               what the C library resolves
/file?path=  /env         what the pod has
"""

import http.client
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import threading
import urllib.parse
from typing import Any

NAME = os.environ.get("PEER") or socket.gethostname()
PORTS = (8080, 8081)
TLS_PORT = 8443
WAIT_S = 3.0
TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "AAAA": 28, "SRV": 33}
METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS")
Query = dict[str, str]


def tcp(query: Query) -> list[str]:
    return [_tcp_once(query["host"], int(query["port"])) for _ in range(int(query["tries"]))]


def _tcp_once(host: str, port: int) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=WAIT_S)
    try:
        connection.request("GET", "/who")
        return str(json.loads(connection.getresponse().read())["pod"])
    except (OSError, ValueError, http.client.HTTPException) as fault:
        return f"error: {type(fault).__name__} {fault}"
    finally:
        connection.close()


def udp(query: Query) -> list[str]:
    return [_udp_once(query["host"], int(query["port"])) for _ in range(int(query["tries"]))]


def _udp_once(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(WAIT_S)
        try:
            client.connect((host, port))
            client.send(b"who")
            return client.recv(2048).decode()
        except OSError as fault:
            return f"error: {type(fault).__name__} {fault}"


def look(query: Query) -> list[str]:
    found = socket.getaddrinfo(query["name"], None, socket.AF_INET, socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in found})


def dns(query: Query) -> dict[str, Any]:
    """The first name of the search list that has an answer, as stub resolvers try them."""
    servers, searches = [], []
    for line in open("/etc/resolv.conf", encoding="ascii"):  # noqa: SIM115 - read to its end
        words = line.split()
        if words[:1] == ["nameserver"]:
            servers.append(words[1])
        elif words[:1] == ["search"]:
            searches = words[1:]
    name = query["name"]
    names = [f"{name}.{suffix}" for suffix in searches] if query.get("search") else []
    told: dict[str, Any] = {"code": -1, "records": []}
    for full in (*names, name):
        told = _ask_dns(servers[0], full.rstrip("."), query)
        if told["records"]:
            break
    return told


def _ask_dns(server: str, name: str, query: Query) -> dict[str, Any]:
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    tail = labels + b"\0" + struct.pack("!HH", TYPES[query["type"]], 1)
    packet = struct.pack("!HHHHHH", 77, 0x0100, 1, 0, 0, 0) + tail
    kind = socket.SOCK_STREAM if query.get("tcp") else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(WAIT_S)
        client.connect((server, 53))
        if query.get("tcp"):
            client.sendall(struct.pack("!H", len(packet)) + packet)
            stream = client.makefile("rb")
            reply = stream.read(struct.unpack("!H", stream.read(2))[0])
        else:
            client.send(packet)
            reply = client.recv(4096)
    return {"code": reply[3] & 15, "name": name, "records": _records(reply)}


def _records(reply: bytes) -> list[list[str]]:
    (count,) = struct.unpack_from("!H", reply, 6)
    _, at = _name(reply, 12)
    at += 4
    found = []
    for _ in range(count):
        _, at = _name(reply, at)
        rtype, _, _, length = struct.unpack_from("!HHIH", reply, at)
        at += 10
        data = reply[at : at + length]
        if rtype == 1:
            text = socket.inet_ntop(socket.AF_INET, data)
        elif rtype == 28:
            text = socket.inet_ntop(socket.AF_INET6, data)
        elif rtype == 33:
            text = f"{struct.unpack('!H', data[4:6])[0]} {_name(reply, at + 6)[0]}"
        else:
            text = _name(reply, at)[0]
        found.append([next((k for k, v in TYPES.items() if v == rtype), str(rtype)), text])
        at += length
    return found


def _name(reply: bytes, at: int) -> tuple[str, int]:
    labels, end = [], 0
    while reply[at]:
        if reply[at] & 0xC0:
            end = end or at + 2
            at = struct.unpack_from("!H", reply, at)[0] & 0x3FFF
            continue
        labels.append(reply[at + 1 : at + 1 + reply[at]].decode())
        at += 1 + reply[at]
    return ".".join(labels), end or at + 1


def read(query: Query) -> str:
    with open(query["path"], encoding="utf-8") as file:
        return file.read()


ASKS = {
    "/tcp": tcp,
    "/udp": udp,
    "/dns": dns,
    "/look": look,
    "/file": read,
    "/env": lambda _query: dict(os.environ),
}


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urllib.parse.urlsplit(self.path)
        ask = ASKS.get(url.path)
        try:
            told: Any = ask(dict(urllib.parse.parse_qsl(url.query))) if ask else self.who(body)
        except OSError as fault:
            told = {"error": str(fault)}
        data = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("x-method", self.command)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def who(self, body: bytes) -> dict[str, Any]:
        return {
            "pod": NAME,
            "method": self.command,
            "path": self.path,
            "body": body.decode(),
            "peer": self.client_address[0],
            "port": self.connection.getsockname()[1],
        }

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


for method in METHODS:
    setattr(Page, f"do_{method}", Page.answer)


class Datagrams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        _, sock = self.request
        sock.sendto(NAME.encode(), self.client_address)


def main() -> None:
    servers: list[socketserver.BaseServer] = []
    for port in PORTS:
        servers.append(http.server.ThreadingHTTPServer(("", port), Page))
        servers.append(socketserver.ThreadingUDPServer(("", port), Datagrams))
    if pem := os.environ.get("PEER_TLS"):
        with open("/tmp/pair.pem", "w", encoding="ascii") as file:
            file.write(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/tmp/pair.pem")
        secure = http.server.ThreadingHTTPServer(("", TLS_PORT), Page)
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        servers.append(secure)
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
