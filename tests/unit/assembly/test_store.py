"""etcd clients at a master's store: which address is had, and when going without is an error."""

import asyncio
import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from appliance.assembly.store import etcd_face, store_alone, store_folder
from appliance.cli.main import main
from appliance.config.load import load
from appliance.config.problems import ConfigError
from appliance.config.schema import Config
from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store.memory import MemoryStore


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"http://127.0.0.1:{other.getsockname()[1]}"


def server_config(folder: Path, **more: str) -> Config:
    flags = {"data-dir": str(folder)} | {k.replace("_", "-"): v for k, v in more.items()}
    return load("server", flags, environ={}, file=None)


async def test_an_address_that_was_asked_for_must_be_had(tmp_path: Path, taken: str) -> None:
    config = server_config(tmp_path, etcd_listen_client_urls=taken)
    face = etcd_face(config, MemoryStore(FakeClock()), FakeClock())
    with pytest.raises(OSError, match="in use"):
        await face.__aenter__()


async def test_without_the_default_address_a_master_still_runs(
    tmp_path: Path, taken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(role="server", data_dir=str(tmp_path), etcd_listen_client_urls=taken)
    async with etcd_face(config, MemoryStore(FakeClock()), FakeClock()):
        said = capsys.readouterr()
    assert "no etcd clients are served" in said.out + said.err


async def test_the_member_keeps_its_ids(tmp_path: Path) -> None:
    config = Config(role="store", data_dir=str(tmp_path), listen_client_urls="http://127.0.0.1:0")
    ids = []
    for _ in range(2):
        async with Tasks("test") as tasks, store_alone(config, tasks):
            ids.append(json.loads((store_folder(config) / "member.json").read_text()))
    assert ids[0] == ids[1]
    assert ids[0]["member_id"] != ids[0]["cluster_id"]


@pytest.mark.parametrize(
    ("role", "key", "value", "why"),
    [
        ("server", "etcd-listen-client-urls", "https://127.0.0.1:2379", "must be http"),
        ("store", "listen-client-urls", "https://127.0.0.1:2379", "cert-file and key-file"),
        ("store", "listen-client-urls", "127.0.0.1:2379", "must be like http://127.0.0.1:2379"),
        ("store", "listen-client-urls", "", "must name an address"),
        ("store", "advertise-client-urls", "http://a", "must be like http://127.0.0.1:2379"),
    ],
)
def test_bad_addresses_are_named(role: str, key: str, value: str, why: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(role, {key: value}, environ={})  # type: ignore[arg-type]
    assert why in wrong.value.problems[0].text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


async def test_metrics_have_an_address_of_their_own(tmp_path: Path) -> None:
    port = free_port()
    config = Config(
        role="store",
        data_dir=str(tmp_path),
        listen_client_urls="http://127.0.0.1:0",
        listen_metrics_urls=f"http://127.0.0.1:{port}",
    )
    async with Tasks("test") as tasks, store_alone(config, tasks):
        pages = {}
        for path in ("/health", "/metrics", "/v2/keys/", "/v3/kv/range"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            pages[path] = (int(head.split()[1]), body)
            writer.close()
    assert pages["/health"] == (200, b'{"health":"true","reason":""}')
    assert b"etcd_server_has_leader 1" in pages["/metrics"][1]
    assert [pages[path][0] for path in ("/v2/keys/", "/v3/kv/range")] == [404, 404]


async def test_a_prefix_has_its_quota_over_the_wire_and_in_the_usage(tmp_path: Path) -> None:
    port = free_port()
    flags = {
        "data-dir": str(tmp_path),
        "listen-client-urls": f"http://127.0.0.1:{port}",
        "prefix-quota": ["jobs/=1Ki"],
    }
    config = load("store", flags, environ={})
    async with Tasks("test") as tasks, store_alone(config, tasks):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

            async def put(key: bytes, size: int) -> httpx.Response:
                fields = {"key": key, "value": b"x" * size}
                body = {name: b64encode(data).decode() for name, data in fields.items()}
                return await http.post("/v3/kv/put", json=body)

            assert (await put(b"jobs/1", 1_000)).status_code == 200
            full = await put(b"jobs/2", 100)
            assert full.status_code == 429
            assert "jobs/ holds 1006 bytes of its quota of 1024" in full.json()["message"]
            assert (await put(b"other", 5_000)).status_code == 200
            metrics = (await http.get("/metrics")).text
            assert 'appliance_store_prefix_bytes{prefix="jobs/"} 1006\n' in metrics
            assert 'appliance_store_prefix_quota_bytes{prefix="jobs/"} 1024\n' in metrics
        words = ["usage", "--data-dir", str(tmp_path), "-o", "json"]
        done = await asyncio.to_thread(CliRunner().invoke, main, words)
        assert done.exit_code == 0, done.output
        (jobs,) = [row for row in json.loads(done.output) if row["prefix"] == "jobs/"]
        assert jobs["quota_bytes"] == 1024
