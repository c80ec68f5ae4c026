"""Masters of one cluster have the same authorities, whoever starts first."""

import asyncio
from pathlib import Path

import pytest

from appliance.control.credentials import Credentials
from appliance.control.sharing import KEY, OtherCluster, share_credentials
from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.memory import MemoryStore

NOW = SystemClock().wall()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def share(store: MemoryStore, data: Path, token: str = "") -> Credentials:
    credentials = Credentials(data)
    await share_credentials(store, credentials, token=token, now=NOW)
    return credentials


async def test_the_second_gets_what_the_first_has_made(store: MemoryStore, tmp_path: Path) -> None:
    first = await share(store, tmp_path / "a")
    second = await share(store, tmp_path / "b", first.token())
    assert second.authority_files() == first.authority_files()
    assert len(first.authority_files()) == 8, "three authorities with keys, and two keys"
    assert second.token() == first.token()
    assert (second.tls / "server-ca.key").stat().st_mode & 0o777 == 0o600
    again = await share(store, tmp_path / "b")
    assert again.authority_files() == first.authority_files()


async def test_two_that_start_at_once_agree(store: MemoryStore, tmp_path: Path) -> None:
    a, b = await asyncio.gather(*(share(store, tmp_path / n, "word") for n in ("a", "b")))
    assert a.authority_files() == b.authority_files()


async def test_what_is_in_the_store_is_sealed(store: MemoryStore, tmp_path: Path) -> None:
    first = await share(store, tmp_path / "a")
    kv = await ops.get(store, KEY)
    assert kv is not None
    assert b"PRIVATE" not in kv.value
    assert first.token().encode() not in kv.value


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_without_the_token_there_is_nothing(
    store: MemoryStore, tmp_path: Path, token: str
) -> None:
    await share(store, tmp_path / "a", "right")
    with pytest.raises(OtherCluster, match="--token"):
        await share(store, tmp_path / "b", token)
    assert Credentials(tmp_path / "b").authority_files() == {}
    assert Credentials(tmp_path / "b").token_or_none() is None


async def test_a_host_of_another_cluster_keeps_its_own(store: MemoryStore, tmp_path: Path) -> None:
    await share(store, tmp_path / "a", "word")
    other = Credentials(tmp_path / "b")
    other.ensure_token("word")
    other.ensure_authorities(NOW)
    before = other.authority_files()
    with pytest.raises(OtherCluster, match="another cluster"):
        await share(store, tmp_path / "b", "word")
    assert other.authority_files() == before
