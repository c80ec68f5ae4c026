"""Which name servers are asked for a name, and in which order.

The host's servers are those of its resolv.conf, read again when the file has changed (DHCP writes
it when a host moves). Names under a stub domain are asked of that domain's own servers. A server
that did not answer is tried last for a while; one that asks us what we ask it is left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from typing_extensions import override

from appliance.kit.clock import Clock

RESOLV_CONF = Path("/etc/resolv.conf")
DNS_PORT = 53
_PENALTY_S = 30.0
_LOOP_S = 600.0
"""A server that leads back to us is left out this long; then it is asked, and found out, again."""


@dataclass(frozen=True, slots=True)
class Server:
    """A name server."""

    address: str
    port: int = DNS_PORT

    @override
    def __str__(self) -> str:
        """As people write it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return host if self.port == DNS_PORT else f"{host}:{self.port}"


def parse_server(text: str) -> Server:
    """Read `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`.

    Raises:
        ValueError: it is none of these.
    """
    host, port = text.strip(), DNS_PORT
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = int(rest[1:]) if rest else DNS_PORT
    elif host.count(":") == 1:
        host, _, number = host.partition(":")
        port = int(number)
    ip_address(host.partition("%")[0])
    if not 0 < port <= 0xFFFF:
        raise ValueError(f"{port} is no port")
    return Server(host, port)


def parse_stub(text: str) -> tuple[str, tuple[Server, ...]]:
    """Read `corp.example=192.0.2.1+192.0.2.2`: a domain and its servers.

    Raises:
        ValueError: it is not written so.
    """
    domain, equals, servers = text.partition("=")
    if not equals or not domain.strip("."):
        raise ValueError("write <domain>=<address>[+<address>]")
    return domain.strip(".").lower(), tuple(parse_server(one) for one in servers.split("+"))


def host_name_servers(path: Path = RESOLV_CONF) -> list[Server]:
    """Name servers of this host, in order; none if there is no such file."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                found.append(Server(parse_server(f"[{words[1]}]").address))
            except ValueError:
                continue  # glibc ignores what is no address, too
    return found


class Servers:
    """The choice; `own` are our own addresses, which are never asked."""

    def __init__(
        self,
        *,
        clock: Clock,
        own: Iterable[str] = (),
        path: Path = RESOLV_CONF,
        fixed: Iterable[Server] = (),
        stubs: Mapping[str, tuple[Server, ...]] | None = None,
    ) -> None:
        self._clock = clock
        self._own = frozenset(own)
        self._path = path
        self._fixed = tuple(fixed)
        self._stubs = dict(stubs or {})
        self._seen: tuple[int, int, int] | None = None
        self._hosts: tuple[Server, ...] = ()
        self._failed_at: dict[Server, float] = {}
        self._looped_at: dict[Server, float] = {}

    def of_host(self) -> tuple[Server, ...]:
        """Those for names in no stub domain, in the order of their file."""
        if self._fixed:
            return self._fixed
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            seen = None
        if seen is None or seen != self._seen:
            self._seen = seen
            self._hosts = tuple(
                s for s in host_name_servers(self._path) if s.address not in self._own
            )
            self._looped_at.clear()
        return self._hosts

    def all(self) -> tuple[Server, ...]:
        """Every server that may be asked."""
        stubs = (server for servers in self._stubs.values() for server in servers)
        return tuple(dict.fromkeys((*self.of_host(), *stubs)))

    def for_name(self, name: str) -> list[Server]:
        """Whom to ask for a name (in lower case, with a dot at its end), the best first."""
        now = self._clock.monotonic()
        found = [
            s for s in self._candidates(name) if not self._is(self._looped_at, s, now, _LOOP_S)
        ]
        return sorted(found, key=lambda s: self._is(self._failed_at, s, now, _PENALTY_S))

    def silent(self, server: Server) -> None:
        """It did not answer."""
        self._failed_at[server] = self._clock.monotonic()

    def answered(self, server: Server) -> None:
        """It did."""
        self._failed_at.pop(server, None)

    def looped(self, server: Server) -> None:
        """What we asked it came to us as a question."""
        self._looped_at[server] = self._clock.monotonic()

    def _candidates(self, name: str) -> tuple[Server, ...]:
        rest = name.rstrip(".") if self._stubs else ""
        while rest:
            if rest in self._stubs:
                return self._stubs[rest]
            rest = rest.partition(".")[2]
        return self.of_host()

    @staticmethod
    def _is(since: Mapping[Server, float], server: Server, now: float, lasting_s: float) -> bool:
        return now - since.get(server, -lasting_s) < lasting_s
