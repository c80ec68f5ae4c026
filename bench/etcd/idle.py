"""What the servers use when nothing happens: both at the same time, with 150 watches each."""

import time

from bench.etcd import wire
from bench.etcd.load import Connection
from bench.etcd.rows import Figure, Row, memory
from bench.etcd.servers import Server

_WATCHES = 150
_SETTLE_S = 3.0


def idle(servers: list[Server], seconds: float) -> list[tuple[Row, dict[str, list[Figure]]]]:
    """CPU per minute and bytes written per minute."""
    connections = [_watching(server) for server in servers]
    time.sleep(_SETTLE_S)  # both finish what the rows before have left
    before = {server.name: server.usage() for server in servers}
    time.sleep(seconds)
    after = {server.name: server.usage() for server in servers}
    for connection in connections:
        connection.socket.close()
    per_minute = 60 / seconds
    cpu = Row(f"idle CPU, {_WATCHES} watches", "ms/m", memory, False)
    disk = Row(f"idle disk writes, {_WATCHES} watches", "B/m", memory, False)
    return [
        (
            cpu,
            {
                n: [Figure((after[n].cpu_s - u.cpu_s) * 1000 * per_minute)]
                for n, u in before.items()
            },
        ),
        (
            disk,
            {
                n: [Figure((after[n].written_bytes - u.written_bytes) * per_minute)]
                for n, u in before.items()
            },
        ),
    ]


def _watching(server: Server) -> Connection:
    connection = Connection(server.port)
    for number in range(_WATCHES):
        connection.open_stream(wire.WATCH, wire.watch(b"idle/%d/" % number, b"idle/%d0" % number))
    return connection
