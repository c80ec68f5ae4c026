"""The relay process's ear: opens, changes and closes fronts as the agent says.

One agent at a time matters, but a new one may come before the old one's end is known: each is
heard. When none is connected nothing changes, and relaying goes on.
"""

import json
import os
import select
import socket
import struct
from collections.abc import Iterable
from typing import Any

from appliance.kit.clock import Clock
from appliance.proxy.relays.front import Front, Who
from appliance.proxy.relays.poller import Poller
from appliance.proxy.relays.tcp import TcpListener, TcpRelays
from appliance.proxy.relays.udp import UdpRelay
from appliance.proxy.relays.wire import HEAD, MAX_BYTES, VERSION, Plan, front_parts, pack

_IP_FREEBIND = 15  # linux/in.h: bind an address that is local only by a route
_EXPIRE_S = 5.0
_READ = 1 << 20
_ANSWER_S = 5.0
_CREDENTIALS = struct.Struct("3i")


class Control:
    """All fronts of this process."""

    def __init__(self, poller: Poller, clock: Clock, inside: Iterable[str]) -> None:
        self._poller = poller
        self._clock = clock
        self._tcp = TcpRelays(poller, clock)
        self._who = Who(inside, is_host_address)
        self._plans: dict[str, Plan] = {}
        self._routes: list[str] = []
        self._open: dict[str, TcpListener | UdpRelay] = {}
        poller.every(_EXPIRE_S, self._expire)

    def listen(self, name: str) -> None:
        """Take agents at this abstract socket.

        Raises:
            OSError: another relay process is there.
        """
        meeting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        meeting.bind(name)
        meeting.listen()
        self._poller.add(meeting.fileno(), lambda _: self._meet(meeting), select.EPOLLIN)

    def answer(self, said: dict[str, Any]) -> dict[str, Any]:
        """Do what is said."""
        if said.get("stop"):
            for name in tuple(self._open):
                self._close(name)
            self._poller.stop()
            return {}
        if "version" in said:
            return {"version": VERSION, "fronts": self._plans, "routes": self._routes}
        self._routes = said.get("routes", self._routes)
        for name in said.get("close", ()):
            self._close(name)
        refused = {}
        for name, plan in said.get("open", {}).items():
            if why := self._put(name, plan):
                refused[name] = why
        return {"refused": refused}

    def _put(self, name: str, plan: Plan) -> str:
        known = self._open.get(name)
        if known is not None:
            known.front.update(plan)
            known.updated()
        else:
            try:
                self._open[name] = self._listen(name, Front(plan, self._who))
            except OSError as taken:
                return os.strerror(taken.errno or 0)
        self._plans[name] = plan
        return ""

    def _listen(self, name: str, front: Front) -> TcpListener | UdpRelay:
        protocol, address, port = front_parts(name)
        if protocol == "tcp":
            return TcpListener(self._tcp, front, bound(socket.SOCK_STREAM, address, port))
        listening = bound(socket.SOCK_DGRAM, address, port)
        return UdpRelay(self._poller, self._clock, front, listening)

    def _close(self, name: str) -> None:
        self._plans.pop(name, None)
        if (known := self._open.pop(name, None)) is not None:
            known.close()

    def _expire(self) -> None:
        for one in self._open.values():
            if isinstance(one, UdpRelay):
                one.expire()

    def _meet(self, meeting: socket.socket) -> None:
        agent, _ = meeting.accept()
        raw = agent.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(raw)[1] not in {0, os.geteuid()}:
            agent.close()
            return
        agent.settimeout(_ANSWER_S)
        heard = bytearray()
        self._poller.add(agent.fileno(), lambda _: self._hear(agent, heard), select.EPOLLIN)

    def _hear(self, agent: socket.socket, heard: bytearray) -> None:
        try:
            data = agent.recv(_READ)
            heard += data
            while data and (said := _whole(heard)) is not None:
                agent.sendall(pack(self.answer(said)))
        except (OSError, ValueError):
            data = b""  # it went away, or talks nonsense
        if not data:
            self._poller.remove(agent.fileno())
            agent.close()


def _whole(heard: bytearray) -> dict[str, Any] | None:
    """Take one message off the front, if it is all there."""
    if len(heard) < HEAD.size:
        return None
    (length,) = HEAD.unpack_from(heard)
    if length > MAX_BYTES:
        raise ValueError("a message longer than any plan")
    if len(heard) < HEAD.size + length:
        return None
    body = bytes(heard[HEAD.size : HEAD.size + length])
    del heard[: HEAD.size + length]
    found: dict[str, Any] = json.loads(body)
    return found


def bound(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """A socket at a service's address.

    Raises:
        OSError: the port is taken.
    """
    made = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    try:
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def is_host_address(address: str) -> bool:
    """Whether it is one of this host's: only such a one can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
