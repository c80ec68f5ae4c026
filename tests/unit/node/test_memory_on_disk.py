"""What an agent keeps for the time when the API is away."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from appliance.api.errors import ApiError, Forbidden, ServiceUnavailable
from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.core.secret import Secret
from appliance.api.kinds.core.service import Service
from appliance.api.meta import ObjectMeta
from appliance.node.desired import DesiredPods
from appliance.node.pods.remembered import RememberedInputs
from tests.unit.node.stage import Shelf, pod, wish


class Broken(Shelf):
    """An API that answers with an error."""

    def __init__(self, error: ApiError) -> None:
        super().__init__()
        self.error = error

    async def config_map(self, _namespace: str, _name: str) -> ConfigMap | None:
        raise self.error

    async def secret(self, _namespace: str, _name: str) -> Secret | None:
        raise self.error

    async def claim(self, _namespace: str, _name: str) -> PersistentVolumeClaim | None:
        raise self.error

    async def persistent_volume(self, _name: str) -> PersistentVolume | None:
        raise self.error

    def services(self, _namespace: str) -> Iterable[Service]:
        return []

    def services_known(self) -> bool:
        return False


AWAY = Broken(ServiceUnavailable("away"))


async def test_what_was_read_once_is_there_while_the_api_is_away(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.config_maps["cm"] = ConfigMap(data={"a": "1"})
    shelf.secrets["s"] = Secret(data={"k": b"v"})
    shelf.all_services = [Service(metadata=ObjectMeta(name="web", namespace="default"))]
    bound = {"metadata": {"namespace": "default"}, "spec": {"volumeName": "disk"}}
    shelf.claims["data"] = msgspec.convert(bound, PersistentVolumeClaim)
    shelf.volumes["disk"] = PersistentVolume(metadata=ObjectMeta(name="disk"))
    inputs = RememberedInputs(shelf, tmp_path)
    await inputs.claim("default", "data")
    await inputs.persistent_volume("disk")
    await inputs.config_map("default", "cm")
    await inputs.secret("default", "s")
    list(inputs.services("default"))
    assert (tmp_path / "inputs.json").stat().st_mode & 0o777 == 0o600

    later = RememberedInputs(AWAY, tmp_path)
    assert await later.config_map("default", "cm") == ConfigMap(data={"a": "1"})
    assert await later.secret("default", "s") == Secret(data={"k": b"v"})
    assert [s.metadata.name for s in later.services("default")] == ["web"]
    assert await later.claim("default", "data") == shelf.claims["data"]
    assert await later.persistent_volume("disk") == shelf.volumes["disk"]
    with pytest.raises(ServiceUnavailable):
        await later.config_map("default", "never seen")


async def test_a_refusal_is_no_absence(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.config_maps["cm"] = ConfigMap(data={"a": "1"})
    await RememberedInputs(shelf, tmp_path).config_map("default", "cm")
    refusing = RememberedInputs(Broken(Forbidden("no")), tmp_path)
    with pytest.raises(Forbidden):
        await refusing.config_map("default", "cm")


async def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.config_maps["cm"] = ConfigMap()
    inputs = RememberedInputs(shelf, tmp_path)
    await inputs.config_map("default", "cm")
    await inputs.config_map("other", "cm")
    inputs.forget_others(frozenset({"default"}))
    later = RememberedInputs(AWAY, tmp_path)
    assert await later.config_map("default", "cm") == ConfigMap()
    with pytest.raises(ServiceUnavailable):
        await later.config_map("other", "cm")


def test_the_wish_is_written_when_it_changes_and_not_for_a_status(tmp_path: Path) -> None:
    desired = DesiredPods(tmp_path)
    assert desired.load() == []
    desired.save([pod()])
    written = (tmp_path / "pods.json").stat().st_ino
    again = pod()
    again.status.phase = "Running"
    desired.save([again])
    assert (tmp_path / "pods.json").stat().st_ino == written
    desired.save([pod(wish(image="web:2"))])
    (kept,) = DesiredPods(tmp_path).load()
    assert kept.spec.containers[0].image == "web:2"


@pytest.mark.parametrize("name", ["pods.json", "inputs.json"])
def test_a_spoilt_file_is_as_good_as_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00{")
    assert DesiredPods(tmp_path).load() == []
    assert list(RememberedInputs(AWAY, tmp_path).services("default")) == []


async def test_a_disk_that_takes_nothing_stops_no_pod(tmp_path: Path) -> None:
    spot = tmp_path / "file"
    touch(spot)  # where a folder should be
    blocked = spot / "x"
    DesiredPods(blocked).save([pod()])
    shelf = Shelf()
    shelf.config_maps["cm"] = ConfigMap(data={"a": "1"})
    found = await RememberedInputs(shelf, blocked).config_map("default", "cm")
    assert found == ConfigMap(data={"a": "1"})


def touch(path: Path) -> None:
    path.touch()
