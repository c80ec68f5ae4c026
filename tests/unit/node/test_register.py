"""What a node says of itself."""

from pathlib import Path

import pytest

from appliance.node.options import NodeOptions
from appliance.node.register import (
    differs,
    node_conditions,
    node_labels,
    node_status,
    parse_taint,
)
from appliance.node.resources import HostFacts, memory_total, pretty_name
from appliance.node.runtimes.base import Fingerprint

FACTS = HostFacts(cpus=2, memory_bytes=4 << 30, disk_bytes=100 << 30, architecture="arm64")
OPTIONS = NodeOptions(
    node_name="n1",
    node_ip="192.0.2.1",
    data_dir=Path("/x"),
    cluster_id="c",
    pause_image="p",
    labels={"zone": "attic", "kubernetes.io/arch": "mine"},
)
ENGINE = Fingerprint(engine="podman", version="4.3.1", api_version="1.41")


def test_amounts_are_written_as_the_api_keeps_them() -> None:
    made = node_status(OPTIONS, FACTS, ENGINE, port=10250)
    assert made.capacity == {
        "cpu": "2",
        "memory": "4Gi",
        "ephemeral-storage": "100Gi",
        "pods": "110",
    }
    kept_free = {"memory": "3996Mi", "ephemeral-storage": "95Gi"}  # by eviction-hard
    assert made.allocatable == made.capacity | kept_free
    assert made.nodeInfo.containerRuntimeVersion == "podman://4.3.1"
    assert made.daemonEndpoints.kubeletEndpoint.Port == 10250


def test_labels_of_the_user_win() -> None:
    labels = node_labels(OPTIONS, FACTS)
    assert labels["kubernetes.io/hostname"] == "n1"
    assert (labels["kubernetes.io/arch"], labels["zone"]) == ("mine", "attic")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b:NoSchedule", ("a", "b", "NoSchedule")),
        ("x.y/a:NoExecute", ("x.y/a", "", "NoExecute")),
    ],
)
def test_taints(text: str, expected: tuple[str, str, str]) -> None:
    taint = parse_taint(text)
    assert (taint.key, taint.value, taint.effect) == expected


@pytest.mark.parametrize("text", ["a=b", ":NoSchedule", ""])
def test_taints_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be written like"):
        parse_taint(text)


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    first = {c.type: c for c in node_conditions("", {}, 1000.0)}
    later = {c.type: c for c in node_conditions("no socket", first, 2000.0)}
    assert later["PIDPressure"].lastTransitionTime == first["PIDPressure"].lastTransitionTime
    assert later["PIDPressure"].lastHeartbeatTime != first["PIDPressure"].lastHeartbeatTime
    ready = later["Ready"]
    assert (ready.status, ready.message) == ("False", "container runtime is down: no socket")
    assert ready.lastTransitionTime != first["Ready"].lastTransitionTime


def test_a_heartbeat_alone_is_no_difference() -> None:
    one = node_status(OPTIONS, FACTS, ENGINE, port=1)
    one.conditions = node_conditions("", {}, 1000.0)
    two = node_status(OPTIONS, FACTS, ENGINE, port=1)
    two.conditions = node_conditions("", {}, 2000.0)
    assert not differs(one, two)
    two.conditions = node_conditions("down", {}, 2000.0)
    assert differs(one, two)
    assert differs(one, node_status(OPTIONS, FACTS, ENGINE, port=2))


def test_reading_the_host() -> None:
    assert memory_total("MemFree: 1 kB\nMemTotal:  1024 kB\n") == 1 << 20
    assert memory_total("") == 0
    assert pretty_name('ID=x\nPRETTY_NAME="Debian 12"\n') == "Debian 12"
    assert pretty_name("") == "Linux"


def test_pressures_show_as_conditions() -> None:
    made = {c.type: c for c in node_conditions("", {}, 0.0, {"DiskPressure"})}
    assert (made["DiskPressure"].status, made["DiskPressure"].reason) == (
        "True",
        "KubeletHasDiskPressure",
    )
    assert made["MemoryPressure"].message == "kubelet has sufficient memory available"
    assert made["Ready"].status == "True"
