"""Files out of objects, and how they are put in place."""

from pathlib import Path

import pytest

from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.pod.volumes import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    KeyToPath,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from appliance.api.kinds.core.references import ObjectFieldSelector
from appliance.api.kinds.core.secret import Secret
from appliance.node.pods.downward import PodFacts
from appliance.node.volumes.base import Materials, VolumeFault
from appliance.node.volumes.projected import File, files_of, write_files
from tests.unit.node.stage import pod

MATERIALS = Materials(
    config_maps={"cm": ConfigMap(data={"a": "1", "b": "2"}, binaryData={"c": b"\xff"})},
    secrets={"s": Secret(data={"k": b"hush"})},
    tokens={"": "token"},
    facts=PodFacts(pod_ip="10.42.0.7"),
)


def contents(volume: Volume, materials: Materials = MATERIALS) -> dict[str, bytes]:
    return {path: file.data for path, file in files_of(pod(), volume, materials).items()}


def test_a_config_map_gives_a_file_per_key() -> None:
    volume = Volume(name="v", configMap=ConfigMapVolumeSource(name="cm"))
    assert contents(volume) == {"a": b"1", "b": b"2", "c": b"\xff"}


def test_chosen_keys_get_their_own_paths_and_modes() -> None:
    source = ConfigMapVolumeSource(
        name="cm", items=[KeyToPath(key="a", path="x/y", mode=0o400)], defaultMode=0o600
    )
    made = files_of(pod(), Volume(name="v", configMap=source), MATERIALS)
    assert made == {"x/y": File(b"1", 0o400)}


def test_a_projected_volume_puts_all_together() -> None:
    sources = [
        VolumeProjection(serviceAccountToken=ServiceAccountTokenProjection(path="token")),
        VolumeProjection(
            configMap=ConfigMapProjection(name="cm", items=[KeyToPath(key="a", path="ca.crt")])
        ),
        VolumeProjection(secret=SecretProjection(name="s")),
        VolumeProjection(
            configMap=ConfigMapProjection(
                name="openshift-service-ca.crt", items=[KeyToPath(key="x", path="x")]
            )
        ),
    ]
    volume = Volume(name="v", projected=ProjectedVolumeSource(sources=sources))
    assert contents(volume) == {"token": b"token", "ca.crt": b"1", "k": b"hush"}
    without = Materials(config_maps=MATERIALS.config_maps, secrets=MATERIALS.secrets)
    assert "token" not in contents(volume, without)


def test_the_downward_api_as_files() -> None:
    item = DownwardAPIVolumeFile(path="ip", fieldRef=ObjectFieldSelector(fieldPath="status.podIP"))
    volume = Volume(name="v", downwardAPI=DownwardAPIVolumeSource(items=[item]))
    assert contents(volume) == {"ip": b"10.42.0.7"}


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        (Volume(name="v", configMap=ConfigMapVolumeSource(name="no")), 'configmap "no" not found'),
        (Volume(name="v", secret=SecretVolumeSource(secretName="no")), 'secret "no" not found'),
        (
            Volume(
                name="v",
                secret=SecretVolumeSource(secretName="s", items=[KeyToPath(key="none", path="x")]),
            ),
            "has no key none",
        ),
        (
            Volume(
                name="v",
                secret=SecretVolumeSource(secretName="s", items=[KeyToPath(key="k", path="../x")]),
            ),
            "leads out",
        ),
    ],
)
def test_what_is_missing(volume: Volume, why: str) -> None:
    with pytest.raises(VolumeFault, match=why):
        contents(volume)


def test_what_is_missing_may_be_optional() -> None:
    source = ConfigMapVolumeSource(name="no", optional=True)
    assert contents(Volume(name="v", configMap=source)) == {}


def test_readers_see_all_old_or_all_new_files(tmp_path: Path) -> None:
    assert write_files(tmp_path, {"a": File(b"1"), "d/b": File(b"2", 0o600)})
    held = (tmp_path / "..data").resolve()
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "d" / "b").read_bytes() == b"2"
    assert (tmp_path / "d" / "b").stat().st_mode & 0o777 == 0o600
    assert not write_files(tmp_path, {"a": File(b"1"), "d/b": File(b"2", 0o600)})
    assert write_files(tmp_path, {"a": File(b"3")})
    assert (tmp_path / "a").read_bytes() == b"3"
    assert not (tmp_path / "d").is_symlink()
    assert not held.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["..2", "..data", "a"]
