"""A folder tells when something in it changed."""

import asyncio
from pathlib import Path

import pytest

from appliance.kit.inotify import FolderWatch


async def rings(watch: FolderWatch) -> bool:
    try:
        async with asyncio.timeout(5):
            await watch.wait()
    except TimeoutError:
        return False
    return True


async def test_it_rings_for_what_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "a"
    with FolderWatch(tmp_path) as watch:
        file.write_text("x")
        assert await rings(watch)
        file.write_text("y")
        assert await rings(watch)
        (tmp_path / "b").symlink_to(file)
        assert await rings(watch)
        file.rename(tmp_path / "c")
        assert await rings(watch)
        (tmp_path / "c").unlink()
        assert await rings(watch)
        (tmp_path / "folder").mkdir()
        assert await rings(watch)


async def test_a_file_that_is_being_written_does_not_ring(tmp_path: Path) -> None:
    with FolderWatch(tmp_path) as watch:
        with (tmp_path / "a").open("w") as file:
            file.write("half")
            file.flush()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await watch.wait()
        assert await rings(watch)


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FolderWatch(tmp_path / "no")
