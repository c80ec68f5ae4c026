"""Who takes more disk than a volume may hold is put out."""

from pathlib import Path

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.volumes import EmptyDirVolumeSource, Volume
from appliance.node.pods.evictions import Evictions, limits, used_bytes
from appliance.node.runtimes.base import State
from appliance.node.sources.base import SOURCE
from appliance.node.volumes.mounter import Volumes
from tests.unit.node.stage import Stage, pod


def limited(medium: str = "") -> Pod:
    source = EmptyDirVolumeSource(sizeLimit="1Mi", medium=medium)
    return pod(volumes=[Volume(name="v", emptyDir=source)])


async def test_a_pod_that_takes_too_much_fails_and_stops(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    volumes = Volumes(tmp_path)
    async with stage.workers() as workers:
        workers.wish([limited()])
        await stage.settle()
        evictions = Evictions(workers, volumes, stage.clock)
        file = Path(volumes.paths(limited())["v"]) / "f"
        file.write_bytes(b"x" * 1000)
        await evictions.look()
        await stage.settle()
        assert stage.status().phase == "Running"
        file.write_bytes(b"x" * (2 << 20))
        await evictions.look()
        await stage.settle(31)
        status = stage.status()
        assert (status.phase, status.reason) == ("Failed", "Evicted")
        assert status.message == 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
        assert [c for c in await stage.all() if c.state is State.RUNNING] == []
        await evictions.look()
        assert stage.notes.reasons.count("Evicted") == 1


async def test_a_static_pod_stays(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    one = limited()
    one.metadata.annotations = {SOURCE: "file"}
    async with stage.workers() as workers:
        workers.wish([one])
        await stage.settle()
        volumes = Volumes(tmp_path)
        (Path(volumes.paths(one)["v"]) / "f").write_bytes(b"x" * (2 << 20))
        await Evictions(workers, volumes, stage.clock).look()
        assert stage.status().phase == "Running"


def test_memory_has_its_size_from_the_kernel() -> None:
    assert limits(limited("Memory")) == {}
    assert limits(limited()) == {"v": "1Mi"}


def test_links_are_not_followed(tmp_path: Path) -> None:
    big, folder = tmp_path / "big", tmp_path / "folder"
    big.write_bytes(b"x" * (1 << 20))
    folder.mkdir()
    (folder / "link").symlink_to(big)
    assert used_bytes(folder) < 1 << 16
