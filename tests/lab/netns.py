"""A node and its pods as network namespaces of the test's own, joined by a bridge."""

import ctypes
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)

# Says its own name to each TCP client and UDP packet; prints a line when it listens.
_SERVER = """
import socket, sys, threading
name, port = sys.argv[1].encode(), int(sys.argv[2])
tcp = socket.create_server(("", port)); udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", port)); print("up", flush=True)
def datagrams():
    while True:
        data, client = udp.recvfrom(100); udp.sendto(name, client)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    connection, client = tcp.accept()
    connection.sendall(name + b" " + client[0].encode()); connection.close()
"""


OUTER, OUTER_NODE = "192.0.2.9", "192.0.2.1"
_BRIDGE_MAC = "02:0a:2a:00:00:01"


def sh(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Move this thread into a network namespace, and back."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _setns(there)
        yield
    finally:
        _setns(home)
        os.close(home)
        os.close(there)


def _setns(handle: int) -> None:
    if _LIBC.setns(handle, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Lab:
    """`node` has a bridge with .1; each pod gets .2, .3, … and a default route through it."""

    def __init__(self, network: str = "10.42.0") -> None:
        self._id = secrets.token_hex(3)
        self._network = network
        self._namespaces: list[str] = []
        self._named: dict[str, str] = {}
        self._servers: list[subprocess.Popen[str]] = []
        self.node = self._namespace("node")
        # An address of its own: otherwise it takes the lowest of its ports', and a new pod makes
        # the others' neighbour tables wrong for seconds.
        self._in(self.node, "ip", "link", "add", "br0", "address", _BRIDGE_MAC, "type", "bridge")
        self._in(self.node, "ip", "addr", "add", f"{network}.1/24", "dev", "br0")
        self._in(self.node, "ip", "link", "set", "br0", "up")
        self._in(self.node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self._in(self.node, "sysctl", "-qw", "net.ipv4.conf.br0.route_localnet=1")
        for name in ("all", "br0"):
            self._in(self.node, "sysctl", "-qw", f"net.ipv4.conf.{name}.send_redirects=0")
        self._in(self.node, "ip", "route", "add", "10.43.0.0/16", "dev", "br0")
        self._pods = 0

    def pod(self, *, serve: int = 0) -> str:
        """Add a pod and return its address; with `serve` it answers on that port."""
        self._pods += 1
        number = self._pods + 1
        namespace = self._namespace(f"pod{number}")
        link, address = f"v{self._id}{number}", f"{self._network}.{number}"
        sh("ip", "link", "add", link, "netns", self.node, "type", "veth",
           "peer", "name", "eth0", "netns", namespace)  # fmt: skip
        self._in(self.node, "ip", "link", "set", link, "master", "br0", "up")
        self._in(self.node, "ip", "link", "set", link, "type", "bridge_slave", "hairpin", "on")
        # As on a node, a pod knows no neighbours: all it sends goes through the host.
        self._in(namespace, "ip", "addr", "add", f"{address}/32", "dev", "eth0")
        self._in(namespace, "ip", "link", "set", "eth0", "up")
        gateway = f"{self._network}.1"
        self._in(namespace, "ip", "route", "add", gateway, "dev", "eth0", "scope", "link")
        self._in(namespace, "ip", "route", "add", "default", "via", gateway)
        self._named[address] = namespace
        if serve:
            self._serve(namespace, address, serve)
        return address

    def namespace_of(self, address: str) -> str:
        return self._named[address]

    def outside(self, *, serve: int = 0) -> str:
        """A host beyond the node: 192.0.2.9, on a link where the node is 192.0.2.1."""
        namespace = self._namespace("outside")
        link = f"o{self._id}"
        sh("ip", "link", "add", link, "netns", self.node, "type", "veth",
           "peer", "name", "eth0", "netns", namespace)  # fmt: skip
        self._in(self.node, "ip", "addr", "add", f"{OUTER_NODE}/24", "dev", link)
        self._in(self.node, "ip", "link", "set", link, "up")
        self._in(namespace, "ip", "addr", "add", f"{OUTER}/24", "dev", "eth0")
        self._in(namespace, "ip", "link", "set", "eth0", "up")
        self._in(namespace, "ip", "route", "add", "default", "via", OUTER_NODE)
        self._named[OUTER] = namespace
        if serve:
            self._serve(namespace, OUTER, serve)
        return OUTER

    @contextmanager
    def running(self, address: str, code: str, *args: str) -> Iterator[None]:
        """Run Python code in a pod; it says a line when it is up."""
        argv = ["ip", "netns", "exec", self.namespace_of(address), sys.executable, "-c", code]
        with subprocess.Popen([*argv, *args], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                process.stdout.readline()
                yield
            finally:
                process.kill()

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()
        for namespace in self._namespaces:
            sh("ip", "netns", "del", namespace)

    def _serve(self, namespace: str, name: str, port: int) -> None:
        argv = ["ip", "netns", "exec", namespace, sys.executable, "-c", _SERVER]
        server = subprocess.Popen([*argv, name, str(port)], stdout=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"

    def _namespace(self, name: str) -> str:
        full = f"apltest-{self._id}-{name}"
        sh("ip", "netns", "add", full)
        self._namespaces.append(full)
        self._in(full, "ip", "link", "set", "lo", "up")
        return full

    @staticmethod
    def _in(namespace: str, *argv: str) -> str:
        return sh("ip", "netns", "exec", namespace, *argv)


def ask_tcp(address: str, port: int, timeout_s: float = 3.0) -> tuple[str, str]:
    """Who answered, and from which address it saw us."""
    with socket.create_connection((address, port), timeout=timeout_s) as connection:
        text = b"".join(iter(lambda: connection.recv(100), b"")).decode()
    name, _, client = text.partition(" ")
    return name, client


def ask_udp(address: str, port: int, timeout_s: float = 3.0) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout_s)
        udp.sendto(b"?", (address, port))
        return udp.recvfrom(100)[0].decode()


def can_make_namespaces() -> bool:
    return (os.geteuid() == 0 and Path("/usr/sbin/ip").exists()) or Path("/sbin/ip").exists()
