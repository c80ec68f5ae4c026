"""Which engine is taken, and with what settings, on which host."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from appliance.host.engines import (
    SOCKETS,
    Engines,
    Host,
    Kind,
    answers,
    choose,
    command,
    podman_conf,
)
from appliance.kit.clock import FakeClock

BARE = Host(
    answering=frozenset(),
    installed=frozenset(),
    cgroup_version=2,
    may_raise_limits=True,
    has_runc=False,
    systemd=False,
)
MY_START_TICKS = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]


@pytest.mark.parametrize(
    ("wanted", "answering", "installed", "chosen"),
    [
        ("podman", {"docker"}, {"docker", "podman"}, "podman"),
        ("docker", {"podman"}, {"podman"}, "docker"),
        ("auto", {"podman"}, {"docker", "podman"}, "podman"),
        ("auto", {"docker", "podman"}, {"docker", "podman"}, "docker"),
        ("auto", set(), {"podman"}, "podman"),
        ("auto", set(), set(), "docker"),
    ],
)
def test_what_answers_comes_before_what_is_installed(
    wanted: str, answering: set[Kind], installed: set[Kind], chosen: Kind
) -> None:
    host = replace(BARE, answering=frozenset(answering), installed=frozenset(installed))
    assert choose(wanted, host) == chosen


def test_a_capable_host_keeps_the_defaults_of_podman() -> None:
    text = podman_conf(BARE, {"nofile": (1024, 4096)})
    assert "default_ulimits" not in text
    assert "runtime" not in text


def test_probes_leave_no_crowd_of_waiting_processes() -> None:
    assert "exit_command_delay = 5\n" in podman_conf(BARE, {})


def test_podman_gets_limits_it_may_set_and_runc_on_old_cgroups() -> None:
    host = replace(BARE, may_raise_limits=False, cgroup_version=1, has_runc=True)
    text = podman_conf(host, {"nofile": (1024, 4096), "nproc": (100, 200)})
    assert 'default_ulimits = ["nofile=1024:4096", "nproc=100:200"]' in text
    assert 'runtime = "runc"' in text


def test_our_dockerd_keeps_its_hands_off_the_hosts_network(tmp_path: Path) -> None:
    argv = command("docker", "/x/docker.sock", tmp_path)
    assert {"--bridge=none", "--iptables=false", "--ip-masq=false"} <= set(argv)
    assert "--host=unix:///x/docker.sock" in argv


class Ping(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"[1]" if self.path.endswith("/containers/json") else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "engine.sock")
    with UnixStreamServer(path, Ping) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def test_nobody_answers_where_there_is_no_socket(tmp_path: Path) -> None:
    assert not answers(str(tmp_path / "none.sock"))


async def test_an_engine_that_answers_is_used_and_is_not_ours_to_stop(
    engine: str, tmp_path: Path
) -> None:
    engines = Engines(
        run_dir=tmp_path, clock=FakeClock(), sockets={"docker": engine, "podman": "/no/such"}
    )

    assert await engines.ensure("auto") == ("docker", f"unix://{engine}")
    assert await engines.stop() == "no engine of ours is running"


async def test_an_engine_with_running_containers_is_left_alone(engine: str, tmp_path: Path) -> None:
    record = f'"pid": {os.getpid()}, "start_ticks": {MY_START_TICKS}'
    (tmp_path / "engine.json").write_text(
        f'{{"runtime": "docker", "endpoint": "unix://{engine}", {record}}}'
    )
    engines = Engines(run_dir=tmp_path, clock=FakeClock(), sockets=SOCKETS)

    assert "still runs 1 container(s)" in await engines.stop()


async def test_a_recorded_engine_that_ended_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(
        f'{{"runtime": "docker", "endpoint": "unix:///x", "pid": {os.getpid()}, "start_ticks": 1}}'
    )
    engines = Engines(run_dir=tmp_path, clock=FakeClock(), sockets=SOCKETS)

    assert "had ended already" in await engines.stop()
    assert not (tmp_path / "engine.json").exists()
