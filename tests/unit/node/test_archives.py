"""Image archives of a host without a registry."""

import asyncio
import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typing_extensions import override

from appliance.kit.clock import FakeClock, SystemClock
from appliance.node.archives import ImageFolder, names_in
from appliance.node.images.archive import docker_archive
from appliance.node.runtimes.fake import FakeRuntime


def save(path: Path, name: str) -> None:
    path.write_bytes(docker_archive(name, {}, architecture="amd64", config={}))


async def test_what_is_missing_is_loaded(tmp_path: Path) -> None:
    save(tmp_path / "a.tar", "web:1")
    save(tmp_path / "b.tar", "db:1")
    put(tmp_path / "c.tar", b"no tar")
    put(tmp_path / "notes.txt", b"no image")
    runtime = FakeRuntime(FakeClock(), images=["db:1"])
    folder = ImageFolder(tmp_path, runtime, FakeClock())
    assert await folder.load() == ["web:1"]
    assert await runtime.image("web:1") is not None
    assert await folder.load() == []


async def test_packed_ones_too(tmp_path: Path) -> None:
    raw = docker_archive("packed:1", {}, architecture="amd64", config={})
    put(tmp_path / "a.tar.gz", gzip.compress(raw))
    runtime = FakeRuntime(FakeClock())
    assert await ImageFolder(tmp_path, runtime, FakeClock()).load() == ["packed:1"]


@pytest.mark.skipif(shutil.which("zstd") is None, reason="no zstd here")
async def test_zstandard_too(tmp_path: Path) -> None:
    save(tmp_path / "tar", "dense:1")
    argv = ["zstd", "-q", "--rm", str(tmp_path / "tar"), "-o", str(tmp_path / "a.tar.zst")]
    await asyncio.to_thread(subprocess.run, argv, check=True)
    runtime = FakeRuntime(FakeClock())
    assert await ImageFolder(tmp_path, runtime, FakeClock()).load() == ["dense:1"]
    assert os.listdir(tmp_path) == ["a.tar.zst"]


class Telling(FakeRuntime):
    """Says when something was loaded."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.loaded: asyncio.Queue[None] = asyncio.Queue()

    @override
    async def load(self, archive: bytes | Path) -> None:
        await super().load(archive)
        self.loaded.put_nowait(None)


async def test_what_is_dropped_is_loaded_at_once_and_again_when_it_changed(tmp_path: Path) -> None:
    runtime = Telling()
    save(tmp_path / "first.tar", "first:1")
    folder = ImageFolder(tmp_path, runtime, SystemClock())
    following = asyncio.ensure_future(folder.follow())
    try:
        async with asyncio.timeout(20):
            await runtime.loaded.get()
            for name in ("one:1", "two:1"):
                save(tmp_path / "a.tar", name)
                await runtime.loaded.get()
                assert await runtime.image(name) is not None
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_no_folder_is_no_archive(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path / "none", FakeRuntime(FakeClock()), FakeClock())
    assert await folder.load() == []


def test_names(tmp_path: Path) -> None:
    save(tmp_path / "a.tar", "web:1")
    assert names_in(tmp_path / "a.tar") == ["web:1"]


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
