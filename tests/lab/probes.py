"""Questions asked from inside a network namespace, many at once, and what came back.

Servers answer with their own name and the address that they saw. `answers` runs the questions of
one source in one process there; a question that gets no answer gives "fault: …".
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

SERVER = """
import os, socket, socketserver, threading
name = os.environ.get("HOSTNAME") or "outside"
class Tcp(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall((name + " " + self.client_address[0]).encode())
class Udp(socketserver.BaseRequestHandler):
    def handle(self): self.request[1].sendto((name + " " + self.client_address[0]).encode(),
                                             self.client_address)
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(100): self.request.sendall(data)
class Many(socketserver.ThreadingTCPServer): allow_reuse_address = True; request_queue_size = 100
here = os.environ.get("BIND", "")
udp = socketserver.ThreadingUDPServer((here, 8080), Udp)
threading.Thread(target=udp.serve_forever, daemon=True).start()
echo = Many((here, 8081), Echo)
threading.Thread(target=echo.serve_forever, daemon=True).start()
tcp = Many((here, 8080), Tcp); print("up", flush=True); tcp.serve_forever()
"""

_ASK = """
import json, random, socket, sys
from concurrent.futures import ThreadPoolExecutor
def everything(talk):
    return b"".join(iter(lambda: talk.recv(4096), b""))
def question(name):
    parts = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    head = random.randbytes(2) + bytes.fromhex("01000001000000000000")
    return head + parts + bytes.fromhex("0000010001")
def addresses(answer):
    if answer[3] & 15: return "rcode " + str(answer[3] & 15)
    found, at = [], answer.find(bytes.fromhex("00010001"), 12) + 4
    for _ in range(int.from_bytes(answer[6:8], "big")):
        while answer[at] and answer[at] < 192: at += answer[at] + 1
        at += 2 if answer[at] >= 192 else 1
        kind = int.from_bytes(answer[at:at+2], "big")
        size = int.from_bytes(answer[at+8:at+10], "big")
        if kind == 1: found.append(socket.inet_ntoa(answer[at+10:at+14]))
        at += 10 + size
    return " ".join(sorted(found))
def ask(q):
    how, to = q["how"], (q["address"], q["port"])
    try:
        if how == "tcp":
            with socket.create_connection(to, 3) as talk: return everything(talk).decode()
        if how == "dns/tcp":
            with socket.create_connection(to, 3) as talk:
                sent = question(q["name"]); talk.sendall(len(sent).to_bytes(2, "big") + sent)
                heard = talk.recv(4096)
                while len(heard) < 2 + int.from_bytes(heard[:2], "big"): heard += talk.recv(4096)
                return addresses(heard[2:])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talk:
            talk.settimeout(1); talk.connect(to)
            for attempt in range(3):
                talk.send(question(q["name"]) if how == "dns/udp" else b"?")
                try: heard = talk.recv(4096)
                except TimeoutError: continue
                return addresses(heard) if how == "dns/udp" else heard.decode()
        return "fault: no answer"
    except OSError as error:
        return "fault: " + str(error)
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(ask, json.load(sys.stdin)))))
"""

_STEADY = """
import json, socket, sys, threading, time
address, port, echo = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
old = socket.create_connection((address, echo), 3)
asked, faults = 0, []
print("up", flush=True)
while not stop.is_set():
    asked += 1
    for what in ("old", "new"):
        try:
            if what == "old":
                old.sendall(b"x")
                if old.recv(1) != b"x": raise OSError("closed")
            else:
                with socket.create_connection((address, port), 3) as talk:
                    if not talk.recv(100): raise OSError("empty")
        except OSError as error:
            faults.append(f"{what} connection, request {asked}: {error}")
    stop.wait(0.01)
print(json.dumps([asked, faults]))
"""


class Steady:
    """Traffic that goes on: one connection that stays, and new ones all the time."""

    def __init__(self, enter: Sequence[str], address: str, port: int, echo: int) -> None:
        argv = [*enter, sys.executable, "-I", "-c", _STEADY, address, str(port), str(echo)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n"

    def end(self) -> tuple[int, list[str]]:
        """How often was asked, and what went wrong."""
        out, _ = self._process.communicate("", timeout=30)
        asked, faults = json.loads(out)
        return asked, faults


@dataclass(frozen=True, slots=True)
class Question:
    """Who is at an address (tcp, udp), or which addresses a name has (dns/udp, dns/tcp)."""

    how: str
    address: str
    port: int
    name: str = ""


def answers(enter: Sequence[str], questions: Sequence[Question]) -> list[str]:
    """What each question gets, asked from where `enter` leads."""
    argv = [*enter, sys.executable, "-I", "-c", _ASK]
    asked = json.dumps([asdict(question) for question in questions])
    done = subprocess.run(argv, input=asked, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found
