"""A store with a past, and its file seen from beside."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore
from appliance.store.upkeep.archive import Archive, FileArchive

OPTIONS = StoreOptions(keep_history_s=0, retain_s=86_400.0)


@pytest.fixture
def options() -> StoreOptions:
    return OPTIONS


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db" / "state.db"


@pytest.fixture
async def store(path: Path, clock: FakeClock) -> AsyncIterator[SqlStore]:
    store = await SqlStore.open(path, OPTIONS, clock)
    yield store
    await store.close()


@pytest.fixture
def archive(store: SqlStore, path: Path) -> Iterator[Archive]:
    del store  # it has made the file
    archive = FileArchive(path)
    yield archive
    archive.close()
