"""The past of a cluster that lives in PostgreSQL: the verbs, beside a master that runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from appliance.assembly.upkeep.pgviews import make_views
from appliance.cli.main import main
from appliance.config.schema import Config
from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Range, Watcher, WatchRequest
from appliance.store.options import StoreOptions
from appliance.store.sql.postgres.store import PostgresStore
from tests.contract.databases import PostgresServer, postgres

CLOCK = SystemClock()
CONFIG_MAPS = b"/registry/configmaps/default/"
OPTIONS = StoreOptions(keep_history_s=0, retain_s=3600)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


def config_map(name: str, value: str) -> bytes:
    meta = {"name": name, "namespace": "default", "labels": {"app": "web"}}
    return json.dumps({"kind": "ConfigMap", "metadata": meta, "data": {"a": value}}).encode()


@dataclass
class Cluster:
    """A master's store, and the verbs beside it."""

    store: PostgresStore
    url: str
    data: Path
    before: int
    """The revision before the changes."""

    async def run(self, *words: str, code: int = 0) -> str:
        args = [*words, "--data-dir", str(self.data), "--datastore-endpoint", self.url]
        done = await asyncio.to_thread(CliRunner().invoke, main, args)
        assert done.exit_code == code, done.output
        return done.output

    async def value(self, name: str) -> str | None:
        kv = await ops.get(self.store, CONFIG_MAPS + name.encode())
        return None if kv is None else json.loads(kv.value)["data"]["a"]


@pytest.fixture
async def cluster(
    server: PostgresServer, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Cluster]:
    """Two objects; then one was changed and one deleted, and all of that compacted."""
    name = f"past{abs(hash(request.node.name))}"
    server.make_schema(name)
    store = await PostgresStore.open(server.conninfo(name), OPTIONS, CLOCK)
    await ops.put(store, CONFIG_MAPS + b"kept", config_map("kept", "1"), author="ann")
    await ops.put(store, CONFIG_MAPS + b"lost", config_map("lost", "1"), author="ann")
    before = await store.head()
    await ops.put(store, CONFIG_MAPS + b"kept", config_map("kept", "2"), author="bob")
    await ops.delete(store, CONFIG_MAPS + b"lost", author="bob")
    await store.compact(await store.head())
    await store.compacted()
    yield Cluster(store, server.url(name), tmp_path / "data", before)
    await store.close()


async def test_what_was_compacted_is_kept_for_people(cluster: Cluster) -> None:
    seen = json.loads(await cluster.run("history", "cm/default/lost", "-o", "json", "--values"))
    assert [(one["change"], one["author"]) for one in seen] == [
        ("create", "ann"),
        ("delete", "bob"),
    ]
    assert seen[0]["value"]["data"] == {"a": "1"}
    used = json.loads(await cluster.run("usage", "-o", "json"))
    (row,) = [row for row in used if row["prefix"] == "/registry/configmaps/"]
    assert (row["keys"], row["changes"]) == (1, 4)


async def test_it_comes_back_as_one_change_that_the_master_sees(cluster: Cluster) -> None:
    watcher = cluster.store.watch(WatchRequest(key=CONFIG_MAPS, end=b"/registry/configmaps/e"))
    assert "would be brought back" in await cluster.run("undelete", "cm/default", "--dry-run")
    assert await cluster.value("lost") is None
    await cluster.run("undelete", "cm/default")
    assert [event.kv.key for event in await _next(watcher)] == [CONFIG_MAPS + b"lost"]
    assert await cluster.value("lost") == "1"
    await ops.put(cluster.store, CONFIG_MAPS + b"new", config_map("new", "1"))
    await _next(watcher)
    await cluster.run("rewind", "cm/default", "--to-revision", str(cluster.before))
    events = await _next(watcher)
    assert {event.kv.mod_revision for event in events} == {await cluster.store.head()}
    assert await cluster.value("kept") == "1"
    assert await cluster.value("new") is None
    assert "is not kept" in await cluster.run("rewind", "cm", "--to-revision", "999", code=1)


async def _next(watcher: Watcher):  # type: ignore[no-untyped-def]
    async with asyncio.timeout(30):
        return (await anext(watcher)).events


async def test_a_visit_leaves_what_is_kept_alone(cluster: Cluster) -> None:
    await cluster.run("undelete", "cm/default")
    again = await PostgresStore.open(_info(cluster), OPTIONS, CLOCK)
    assert (await again.range(Range(key=FROM_KEY, end=FROM_KEY, count_only=True))).count == 2
    await again.close()
    seen = json.loads(await cluster.run("history", "cm/default/kept", "-o", "json"))
    assert len(seen) == 2


def _info(cluster: Cluster) -> str:
    from appliance.store.sql.postgres.database import conninfo  # noqa: PLC0415

    return conninfo(cluster.url)


async def test_questions_go_to_real_views(cluster: Cluster) -> None:
    await ops.put(cluster.store, CONFIG_MAPS + b"sealed", b"\x00\xffnot json")
    question = "SELECT namespace, name, labels->>'app' AS app FROM configmaps ORDER BY name"
    rows = json.loads(await cluster.run("sql", question, "-o", "json"))
    assert rows == [
        {"namespace": "default", "name": "kept", "app": "web"},
        {"namespace": "default", "name": "sealed", "app": None},
    ]
    assert "cannot be answered" in await cluster.run("sql", "DELETE FROM history", code=1)
    with psycopg.connect(_info(cluster)) as connection:
        found = connection.execute("SELECT object->'data'->>'a' FROM configmaps WHERE name='kept'")
        assert found.fetchall() == [("2",)]
        for kind in ("pods", "nodes", "deployments", "events"):
            text = f'SELECT * FROM "{kind}"'  # noqa: S608 - ours
            assert connection.execute(text.encode()).fetchall() == []
    config = Config(role="server", datastore_endpoint=cluster.url)
    await asyncio.gather(make_views(config), make_views(config))


async def test_a_backup_is_a_file_that_a_server_of_one_starts_from(
    cluster: Cluster, tmp_path: Path
) -> None:
    await cluster.store.lease_grant(600, 77)
    await ops.put(cluster.store, CONFIG_MAPS + b"leased", config_map("leased", "1"), 77)
    said = await cluster.run("backup", str(tmp_path / "b"))
    assert f"revision {await cluster.store.head()}" in said
    refused = await cluster.run("restore", str(tmp_path / "b"), code=2)
    assert "No such option" in refused
    argv = ["restore", str(tmp_path / "b"), "--data-dir", str(tmp_path / "alone")]
    argv += ["--to-revision", str(cluster.before)]
    done = await asyncio.to_thread(CliRunner().invoke, main, argv)
    assert done.exit_code == 0, done.output
    argv = ["sql", "SELECT name FROM configmaps ORDER BY name", "-o", "json"]
    argv += ["--data-dir", str(tmp_path / "alone")]
    done = await asyncio.to_thread(CliRunner().invoke, main, argv)
    assert [row["name"] for row in json.loads(done.output)] == ["kept", "lost"]


async def test_what_is_kept_goes_when_it_is_too_much(server: PostgresServer) -> None:
    server.make_schema("bounded")
    options = StoreOptions(keep_history_s=0, retain_s=3600, retain_bytes=4_000)
    store = await PostgresStore.open(server.conninfo("bounded"), options, CLOCK)
    for number in range(9):
        await ops.put(store, b"k", bytes(1_000))
        if number % 3 == 2:
            await store.compact(await store.head())
            await store.compacted()
    with psycopg.connect(server.conninfo("bounded")) as connection:
        rows = connection.execute("SELECT count(*) FROM history").fetchone()
        kept = connection.execute("SELECT count(*), sum(size_bytes) FROM superseded").fetchone()
    assert kept is not None
    assert rows is not None
    assert 0 < kept[1] <= 4_000
    assert rows[0] == kept[0] + 1, "and what clients can read"
    await store.close()


def test_an_etcd_keeps_no_such_things(tmp_path: Path) -> None:
    for words in (["history", "pods"], ["undelete", "pods"], ["backup", str(tmp_path / "b")]):
        argv = [*words, "--data-dir", str(tmp_path), "--datastore-endpoint", "http://127.0.0.1:9"]
        done = CliRunner().invoke(main, argv)
        assert done.exit_code == 1
        assert "an etcd keeps neither times nor authors" in done.output
