"""A disk of a cloud is on one node for one pod, unless all only read it (seed V06)."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.disks import NO_DISK, VOLUME_RESTRICTIONS, disk_free
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.snapshot import Snapshot
from tests.unit.control.scheduler.test_algorithm import node


@pytest.mark.seed("V06")
@pytest.mark.parametrize(
    ("there", "asked", "fits"),
    [
        ({"pdName": "d"}, {"pdName": "d"}, False),
        ({"pdName": "d"}, {"pdName": "e"}, True),
        ({"pdName": "d", "readOnly": True}, {"pdName": "d", "readOnly": True}, True),
        ({"pdName": "d", "readOnly": True}, {"pdName": "d"}, False),
    ],
)
def test_pods_share_a_disk_to_read_it_only(
    there: dict[str, Any], asked: dict[str, Any], fits: bool
) -> None:
    snapshot = Snapshot()
    snapshot.set_node(node("n1"))
    snapshot.place(PodInfo(pod("first", gcePersistentDisk=there)), "n1")
    check = disk_free(PodInfo(pod("second", gcePersistentDisk=asked)), snapshot)
    assert check is not None
    assert (check(snapshot.nodes["n1"]) is not NO_DISK) is fits


def test_other_volumes_cost_nothing() -> None:
    assert disk_free(PodInfo(pod("p", emptyDir={})), Snapshot()) is None
    assert VOLUME_RESTRICTIONS.name == "VolumeRestrictions"


def pod(name: str, **source: Any) -> Pod:
    meta = {"name": name, "namespace": "default", "uid": name}
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v", **source}]}
    return msgspec.convert({"metadata": meta, "spec": spec}, Pod)
