"""The verbs about a store's past, beside a server that runs and without one."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.assembly.store import etcd_face
from appliance.assembly.upkeep.doors import UpkeepFault, store_file
from appliance.assembly.upkeep.names import NameFault, span_of
from appliance.cli.main import main
from appliance.config.schema import Config
from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

CLOCK = SystemClock()
KEY = b"/registry/configmaps/default/"


def config_map(name: str, value: str) -> bytes:
    meta = {"name": name, "namespace": "default", "labels": {"app": "web"}}
    return json.dumps({"kind": "ConfigMap", "metadata": meta, "data": {"a": value}}).encode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@dataclass
class Cluster:
    """A data directory, and where its server listens."""

    config: Config

    @asynccontextmanager
    async def running(self) -> AsyncIterator[SqlStore]:
        store = await SqlStore.open(store_file(self.config), StoreOptions(retain_s=3600), CLOCK)
        async with etcd_face(self.config, store, CLOCK):
            yield store
        await store.close()

    async def run(self, *words: str, code: int = 0) -> str:
        """The verb's words on both channels; away from the loop, which serves it."""
        args = [*words, "--data-dir", self.config.data_dir]
        if words[0] in {"undelete", "rewind"}:
            args += ["--etcd-listen-client-urls", self.config.etcd_listen_client_urls]
        done = await asyncio.to_thread(CliRunner().invoke, main, args)
        assert done.exit_code == code, done.output
        return done.output


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    url = f"http://127.0.0.1:{free_port()}"
    data = tmp_path / "data"
    return Cluster(Config(role="server", data_dir=str(data), etcd_listen_client_urls=url))


async def fill(store: SqlStore) -> int:
    """Two objects; afterwards one is changed, the other deleted: gives the revision before."""
    await ops.put(store, KEY + b"kept", config_map("kept", "1"), author="ann")
    await ops.put(store, KEY + b"lost", config_map("lost", "1"), author="ann")
    before = await store.head()
    await ops.put(store, KEY + b"kept", config_map("kept", "2"), author="bob")
    await ops.delete(store, KEY + b"lost", author="bob")
    return before


async def test_a_running_server_is_looked_into_and_written_through(cluster: Cluster) -> None:
    async with cluster.running() as store:
        before = await fill(store)
        seen = json.loads(await cluster.run("history", "cm/default/lost", "-o", "json", "--values"))
        assert [(one["change"], one["author"]) for one in seen] == [
            ("create", "ann"),
            ("delete", "bob"),
        ]
        assert seen[0]["value"]["data"] == {"a": "1"}
        assert "/registry/configmaps/" in await cluster.run("usage")

        said = await cluster.run("undelete", "configmaps/default/lost", "--dry-run")
        assert "would be brought back" in said
        assert await ops.get(store, KEY + b"lost") is None
        await cluster.run("undelete", "configmaps/default/lost")
        assert await ops.get(store, KEY + b"lost") is not None

        await cluster.run("rewind", "configmaps/default", "--to-revision", str(before))
        kv = await ops.get(store, KEY + b"kept")
        assert kv is not None
        assert json.loads(kv.value)["data"] == {"a": "1"}
        assert "nothing has to be changed" in await cluster.run("rewind", "cm", "--to-time", "0s")


async def test_without_a_server_the_file_itself_is_written(cluster: Cluster) -> None:
    async with cluster.running() as store:
        await fill(store)
    await cluster.run("undelete", "cm")
    async with cluster.running() as store:
        assert await ops.get(store, KEY + b"lost") is not None


async def test_another_store_at_the_address_is_not_written(
    cluster: Cluster, tmp_path: Path
) -> None:
    elsewhere = Cluster(Config(role="server", data_dir=str(tmp_path / "elsewhere")))
    urls = cluster.config.etcd_listen_client_urls
    file = store_file(elsewhere.config)
    async with cluster.running() as answers:
        other = await SqlStore.open(file, StoreOptions(retain_s=3600), CLOCK)
        (file.parent / "member.json").write_text('{"cluster_id": 1, "member_id": 1}')
        await fill(other)
        elsewhere.config = Config(
            role="server", data_dir=elsewhere.config.data_dir, etcd_listen_client_urls=urls
        )
        assert "another store answers" in await elsewhere.run("undelete", "cm", code=1)
        assert await answers.head() == 1
        await other.close()


async def test_questions_in_sql(cluster: Cluster) -> None:
    async with cluster.running() as store:
        await fill(store)
        await ops.put(store, KEY + b"sealed", b"\x00\xffnot json")
        question = "SELECT namespace, name, json_extract(labels, '$.app') AS app FROM configmaps"
        rows = json.loads(await cluster.run("sql", question, "-o", "json"))
        assert rows == [
            {"namespace": "default", "name": "kept", "app": "web"},
            {"namespace": "default", "name": "sealed", "app": None},
        ]
        assert "NAME" not in await cluster.run("sql", "SELECT * FROM pods")
        assert "cannot be answered" in await cluster.run("sql", "DELETE FROM history", code=1)


async def test_a_backup_becomes_a_cluster_of_an_earlier_moment(
    cluster: Cluster, tmp_path: Path
) -> None:
    token = Path(cluster.config.data_dir) / "server" / "token"
    async with cluster.running() as store:
        before = await fill(store)
        token.write_text("secret")
        file = tmp_path / "backup"
        await cluster.run("backup", str(file))
        assert file.stat().st_mode & 0o777 == 0o600
        assert "is there already" in await cluster.run("backup", str(file), code=1)
        assert "is there already" in await cluster.run("restore", str(file), code=1)
    again = Cluster(Config(role="server", data_dir=str(tmp_path / "again")))
    said = await again.run("restore", str(file), "--to-revision", "999", code=1)
    assert "revision 999 is not in it" in said
    await again.run("restore", str(file), "--to-revision", str(before))
    assert (Path(again.config.data_dir) / "server" / "token").read_text() == "secret"
    store = await SqlStore.open(store_file(again.config), StoreOptions(), CLOCK)
    kv = await ops.get(store, KEY + b"lost")
    assert kv is not None
    await store.close()


async def test_what_is_no_backup_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "letter"
    assert "no such file" in await cluster.run("restore", str(file), code=1)
    _ = file.write_text("Dear all")
    assert "neither a backup nor a snapshot" in await cluster.run("restore", str(file), code=1)


@pytest.mark.parametrize(
    ("named", "span"),
    [
        ("pods/default/web", (b"/registry/pods/default/web", b"")),
        ("po/default", (b"/registry/pods/default/", b"/registry/pods/default0")),
        ("services/default/db", (b"/registry/services/specs/default/db", b"")),
        ("node/pi", (b"/registry/minions/pi", b"")),
        ("Pod", (b"/registry/pods/", b"/registry/pods0")),
        ("/any/key", (b"/any/key", b"")),
        ("/any/", (b"/any/", b"/any0")),
    ],
)
def test_names(named: str, span: tuple[bytes, bytes]) -> None:
    assert span_of(named) == span


@pytest.mark.parametrize("named", ["", "nonsense", "pods/a/b/c"])
def test_names_of_nothing(named: str) -> None:
    with pytest.raises(NameFault, match="names nothing"):
        span_of(named)


def test_a_file_is_not_read_where_a_database_is_in_use(tmp_path: Path) -> None:
    config = Config(role="server", data_dir=str(tmp_path), datastore_endpoint="postgres://h/db")
    with pytest.raises(UpkeepFault, match="only a file can be filled"):
        store_file(config)
    config = Config(role="server", datastore_endpoint=f"sqlite://{tmp_path}/other.db")
    assert store_file(config) == tmp_path / "other.db"


async def test_a_change_without_a_server_leaves_what_is_kept(cluster: Cluster) -> None:
    async with cluster.running() as store:
        before = await fill(store)
        await store.compact(await store.head())
        await store.compacted()
    await cluster.run("undelete", "cm")
    await cluster.run("rewind", "cm", "--to-revision", str(before))
    async with cluster.running() as store:
        kv = await ops.get(store, KEY + b"kept")
        assert kv is not None
        assert json.loads(kv.value)["data"] == {"a": "1"}
