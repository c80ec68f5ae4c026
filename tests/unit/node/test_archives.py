"""Image archives of a host without a registry."""

from pathlib import Path

from appliance.kit.clock import FakeClock
from appliance.node.archives import load_archives, names_in
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
    assert await load_archives(tmp_path, runtime) == ["web:1"]
    assert await runtime.image("web:1") is not None
    assert await load_archives(tmp_path, runtime) == []


async def test_no_folder_is_no_archive(tmp_path: Path) -> None:
    assert await load_archives(tmp_path / "none", FakeRuntime(FakeClock())) == []


def test_names(tmp_path: Path) -> None:
    save(tmp_path / "a.tar", "web:1")
    assert names_in(tmp_path / "a.tar") == ["web:1"]


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
