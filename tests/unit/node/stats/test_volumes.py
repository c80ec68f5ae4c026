"""How full claims are, in the names that dashboards ask for."""

from pathlib import Path
from typing import Any

from appliance.node.stats.volumes import VolumeMeter, add_volumes, volume_metrics
from tests.unit.node.volumes.test_persistent import given, node, pod, volume


async def test_a_claim_shows_the_file_system_behind_it(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    volumes, one = node(tmp_path), pod()
    meter = VolumeMeter(volumes, lambda: [one])
    assert await meter.look() == [], "not set up yet"
    await volumes.set_up(one, given(volume(hostPath={"path": str(tmp_path / "disk")})))
    (use,) = await meter.look()
    assert (use.namespace, use.claim, use.volume) == ("default", "data", "v")
    assert use.disk.capacity_bytes > use.disk.free_bytes > 0

    text = volume_metrics([use, use])
    labels = '{namespace="default",persistentvolumeclaim="data"}'
    assert f"kubelet_volume_stats_capacity_bytes{labels} {use.disk.capacity_bytes}\n" in text
    assert text.count(labels) == 6, "told once"
    summary: dict[str, Any] = {"pods": [{"podRef": {"uid": "u1"}}, {"podRef": {"uid": "u2"}}]}
    add_volumes(summary, [use], 0.0)
    assert "volume" not in summary["pods"][1]
    (told,) = summary["pods"][0]["volume"]
    assert (told["name"], told["pvcRef"]) == ("v", {"name": "data", "namespace": "default"})


async def test_a_folder_that_went_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    volumes, one = node(tmp_path), pod()
    await volumes.set_up(one, given(volume(hostPath={"path": str(tmp_path / "disk")})))
    (tmp_path / "disk").rmdir()
    assert await VolumeMeter(volumes, lambda: [one]).look() == []
    assert volume_metrics([]) == ""
