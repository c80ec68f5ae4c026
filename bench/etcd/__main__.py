"""etcd and ours side by side on one disk, with fsync: `python -m bench.etcd [--full] [--dir D]`.

Needs the program `etcd`. Every row is asked of both servers in turn, `--rounds` times; the table
shows medians, and how ours compares (above 1: ours is ahead). `--only TEXT` takes the rows whose
name has it (or one of several, by commas); `--json FILE` keeps all figures. Without `--full` the
large rows are a tenth in size.
"""

import argparse
import json
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.etcd import rows, wire
from bench.etcd.idle import idle
from bench.etcd.load import closed_loop, random_keys
from bench.etcd.rows import KEYS, VALUE, Figure, Row
from bench.etcd.servers import Server

Result = dict[str, object]


def small_rows() -> list[Row]:
    """Rows on a store of 10,000 keys."""
    return [
        Row("put, 1 client", "/s", rows.put(1, 1)),
        Row("put, 10 in flight", "/s", rows.put(1, 10)),
        Row("put, 100 in flight", "/s", rows.put(1, 100)),
        Row("put, 10 connections", "/s", rows.put(10, 1)),
        Row("put, 100 connections", "/s", rows.put(100, 1)),
        Row("compare and set, 50 in flight", "/s", rows.compare_and_set(50)),
        Row("get, 1 client", "/s", rows.get(1)),
        Row("get, 100 in flight", "/s", rows.get(100)),
        Row("range of 500, 1 client", "/s", rows.page(1)),
        Row("range of 500, 10 in flight", "/s", rows.page(10)),
        Row("events, 1 to 100 watchers, 5 ms", "/s", rows.fan_out(100, 0.005, 300)),
        Row("events, 1 to 100 watchers, no pause", "/s", rows.fan_out(100, 0.0, 500)),
        Row("events, 1 to 1000 watchers, no pause", "/s", rows.fan_out(1000, 0.0, 60)),
        Row("bytes written, put of 1 KiB, 1 client", "B", rows.written_per_put(1, 1), False),
        Row("bytes written, put of 1 KiB, 100 in flight", "B", rows.written_per_put(1, 100), False),
        Row("memory", "MiB", rows.memory, False, 1),
    ]


def large_rows(scale: float) -> list[tuple[Callable[[Server], None], Row]]:
    """Rows that need something first; each on what the one before has left."""
    many = int(1_000_000 * scale)

    def counted(server: Server) -> None:
        rows.fill(server, int(100_000 * scale), VALUE)
        rows.fill(server, int(100_000 * scale), VALUE)

    def history(server: Server) -> None:
        calls = random_keys(KEYS, wire.put(b"v" * 64))
        closed_loop(server.port, (1, 400), calls, seconds=600, limit=many)

    def bulk(server: Server) -> None:
        rows.fill(server, int(120_000 * scale), b"b" * 8192, first=1_000_000)

    def nothing(server: Server) -> None:
        del server

    compacting = rows.puts_during(rows.compaction)
    snapshot = rows.puts_during(rows.take_snapshot)
    size = f"{many:,} revisions"
    return [
        (counted, Row(f"count of {int(100_000 * scale):,} keys", "/s", rows.count_all, True, 3)),
        (history, Row(f"put p99 while compacting {size}", "ms", compacting, False, 1)),
        (bulk, Row("put p99 during a snapshot", "ms", snapshot, False, 1)),
        (nothing, Row("size on disk after that", "MiB", rows.disk, False, 1)),
        (nothing, Row("restart on that", "s", rows.restart, False, 3)),
    ]


def measured(servers: list[Server], row: Row, rounds: int) -> dict[str, list[Figure]]:
    """One row of both, in turn."""
    figures: dict[str, list[Figure]] = {server.name: [] for server in servers}
    for _ in range(row.rounds or rounds):
        for server in servers:
            figures[server.name].append(row.measure(server))
    return figures


def result(row: Row, figures: dict[str, list[Figure]]) -> Result:
    """Medians and their ratio."""
    value = {
        name: statistics.median(figure.value for figure in found) for name, found in figures.items()
    }
    over, under = ("ours", "etcd") if row.more_is_better else ("etcd", "ours")
    found: Result = {"row": row.name, "unit": row.unit}
    found["ratio"] = value[over] / value[under] if value[under] else 0.0
    for name, some in figures.items():
        found[name] = value[name]
        for part in ("p50_ms", "p99_ms", "cpu_us"):
            found[f"{name}_{part}"] = statistics.median(getattr(figure, part) for figure in some)
    return found


def show(found: Result) -> None:
    """A line of the table."""

    def side(name: str) -> str:
        value, p50, p99 = (
            float(str(found[f"{name}{part}"])) for part in ("", "_p50_ms", "_p99_ms")
        )
        cpu = float(str(found[f"{name}_cpu_us"]))
        more = f"  p50 {p50:8.2f} p99 {p99:8.2f} ms  {cpu:7.1f} us" if p50 else " " * 41
        return f"{value:11,.1f} {found['unit']:4}{more}"

    ratio = float(str(found["ratio"]))
    print(f"{found['row']:44}{side('etcd')} |{side('ours')} | x{ratio:.2f}", flush=True)


class Run:
    """One run over all rows."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self.servers = [Server("etcd", folder / "etcd"), Server("ours", folder / "ours")]
        self.found: list[Result] = []

    def all(self) -> None:
        """Start both, measure, remove both."""
        try:
            for server in self.servers:
                server.start()
                rows.fill(server, KEYS, VALUE)
            for row in small_rows():
                self._take(row)
            self._idle()
            for prepare, row in large_rows(1.0 if self._options.full else 0.1):
                self._prepare(prepare, row)
                self._take(row)
        finally:
            for server in self.servers:
                server.clear()

    def _wanted(self, row: Row) -> bool:
        return any(part in row.name for part in self._options.only.split(","))

    def _prepare(self, prepare: Callable[[Server], None], row: Row) -> None:
        if self._wanted(row):
            for server in self.servers:
                try:
                    prepare(server)
                except RuntimeError as error:
                    said = (server.folder / "log").read_text()[-2000:]
                    raise RuntimeError(f"{server.name}: {error}\n{said}") from error

    def _take(self, row: Row) -> None:
        if self._wanted(row):
            self._add(row, measured(self.servers, row, self._options.rounds))

    def _idle(self) -> None:
        if self._options.only in "idle" and self._options.idle_s:
            for row, figures in idle(self.servers, self._options.idle_s):
                self._add(row, figures)

    def _add(self, row: Row, figures: dict[str, list[Figure]]) -> None:
        self.found.append(result(row, figures))
        show(self.found[-1])


def main() -> None:
    """Measure in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle-s", type=float, default=20.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    if shutil.which("etcd") is None:
        sys.exit("etcd is not here; on Debian: apt-get install etcd-server")
    started = time.perf_counter()
    print("value, latencies, CPU of the server a call; etcd | ours | ratio (above 1: ours ahead)")
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        run = Run(options, Path(folder))
        run.all()
    print(f"{time.perf_counter() - started:.0f} s on {platform.machine()}, {platform.release()}")
    if options.json:
        options.json.write_text(json.dumps(run.found, indent=1))


if __name__ == "__main__":
    main()
