"""A whole cluster at rest: 200 objects of all kinds, and nothing is written. `make idle`."""

import json
import os
import time
from pathlib import Path

import pytest

from examples.guestbook.images.build import FRONTEND
from tests.lab.cluster import Cluster, eventually
from tests.lab.everything import everything

OBJECTS = 200
REST_S = float(os.environ.get("IDLE_S", "45"))
SETTLE_S = 60.0
HEARTBEATS = ("nodes", "leases.coordination.k8s.io")
"""What agents renew; it is held in memory."""

Seen = dict[str, str]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_written_and_no_loop_looks_at_anything(own_cluster: Cluster) -> None:
    bodies = [
        body
        for number in range(OBJECTS // len(everything(0)) + 1)
        for body in everything(number, FRONTEND)
    ]
    assert len(bodies) >= OBJECTS
    own_cluster.kubectl(
        "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    )
    replicas = sum(body.get("spec", {}).get("replicas", 0) == 1 for body in bodies)
    eventually(lambda: len(own_cluster.running("app")) == replicas, 120)
    eventually(lambda: rests(own_cluster), 120)
    before, loops, written = objects(own_cluster), reconciles(own_cluster), disk(own_cluster)
    time.sleep(REST_S)  # what is tested is that nothing happens meanwhile
    after = objects(own_cluster)
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    looked = {
        name: count - loops.get(name, 0)
        for name, count in reconciles(own_cluster).items()
        if count != loops.get(name, 0)
    }
    kib = (disk(own_cluster) - written) >> 10
    print(f"{len(after)} objects, {REST_S:.0f} s: {len(changed)} changed, {looked}, {kib} KiB")
    assert changed == set()
    assert looked.keys() <= {"nodelife"}, "the heartbeat itself is what a node's life is about"
    assert kib == 0, "an idle cluster writes nothing to disk"


def rests(cluster: Cluster) -> bool:
    """Whether nothing has changed for some seconds."""
    before = objects(cluster), reconciles(cluster)
    time.sleep(5)
    return (objects(cluster), reconciles(cluster)) == before


def objects(cluster: Cluster) -> Seen:
    """Every object's revision, those aside that are heartbeats."""
    names = cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    wanted = [name for name in names if name not in HEARTBEATS and ".metrics." not in name]
    found = cluster.get(",".join(sorted(wanted)), "-A")["items"]
    return {
        f"{one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one[
            "metadata"
        ].get("resourceVersion", "")
        for one in found
    }


def reconciles(cluster: Cluster) -> dict[str, float]:
    """How many keys each loop has looked at."""
    lines = cluster.kubectl("get", "--raw", "/metrics").splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if line.startswith("controller_runtime_reconcile_total{"):
            name = line.split('controller="')[1].split('"')[0]
            found[name] = found.get(name, 0) + float(line.rsplit(" ", 1)[1])
    return found


def disk(cluster: Cluster) -> int:
    """Bytes that the server has sent to the disk."""
    assert cluster.process is not None
    lines = Path(f"/proc/{cluster.process.pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])
