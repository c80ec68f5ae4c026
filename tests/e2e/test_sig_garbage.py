"""What conformance asks of owners and dependents, by the numbers of the suite of 1.36."""

import json
from collections.abc import Iterator

import pytest

from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually
from tests.lab.pods import Json, pod
from tests.lab.shell_image import SHELL

pytestmark = pytest.mark.slow  # `make e2e`: CI has no room for both engines
REPLICAS = 3


@pytest.fixture(scope="module", autouse=True)
def image(cluster: Cluster) -> None:
    shell_image.load(cluster.runtime)


@pytest.fixture
def heap(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    for kind in ("deployment", "rc", "rs", "pods"):
        cluster.kubectl("delete", kind, "-l", "lot=heap", "--wait=false")
    eventually(lambda: cluster.get("rc,rs,deploy,pods", "-l", "lot=heap")["items"] == [])


def test_56_a_deployment_takes_its_replica_set_along(heap: Cluster) -> None:
    make(heap, "Deployment")
    delete(heap, "deployment", "background")
    eventually(lambda: heap.get("rs", "-l", "lot=heap")["items"] == [])
    eventually(lambda: heap.get("pods", "-l", "lot=heap")["items"] == [])


def test_57_a_controller_takes_its_pods_along(heap: Cluster) -> None:
    make(heap, "ReplicationController")
    delete(heap, "rc", "background")
    assert heap.get("rc", "-l", "lot=heap")["items"] == []
    eventually(lambda: heap.get("pods", "-l", "lot=heap")["items"] == [])


def test_58_in_the_foreground_a_controller_stays_until_its_pods_have_gone(heap: Cluster) -> None:
    make(heap, "ReplicationController")
    (first, *_) = names(heap, "pods")
    hold(heap, first, '["example.org/look"]')
    delete(heap, "rc", "foreground")
    eventually(lambda: names(heap, "pods") == [first])
    (rc,) = heap.get("rc", "-l", "lot=heap")["items"]
    assert rc["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert rc["metadata"]["deletionTimestamp"]
    hold(heap, first, "null")
    eventually(lambda: heap.get("rc,pods", "-l", "lot=heap")["items"] == [])


def test_59_a_circle_of_owners_goes_as_a_whole(heap: Cluster) -> None:
    uids = {}
    for name in ("heap-a", "heap-b", "heap-c"):
        heap.apply(json.dumps(lonely(name)))
        uids[name] = heap.get("pod", name)["metadata"]["uid"]
    for name, owner in (("heap-a", "heap-c"), ("heap-b", "heap-a"), ("heap-c", "heap-b")):
        own(heap, name, [ref("v1", "Pod", owner, uids[owner])])
    heap.kubectl("delete", "pod", "heap-a", "--cascade=foreground", "--wait=false")
    eventually(lambda: names(heap, "pods") == [])


def test_60_a_second_living_owner_keeps_a_dependent(heap: Cluster) -> None:
    make(heap, "ReplicationController")
    other = controller("ReplicationController", "heap-stays", 0)
    other["spec"]["selector"] = {"app": "other"}
    other["spec"]["template"]["metadata"]["labels"]["app"] = "other"
    heap.apply(json.dumps(other))
    owners = [
        ref("v1", "ReplicationController", name, heap.get("rc", name)["metadata"]["uid"])
        for name in ("heap", "heap-stays")
    ]
    owners[0]["controller"] = True
    first, *others = names(heap, "pods")
    own(heap, first, owners)
    delete(heap, "rc", "foreground")
    eventually(lambda: names(heap, "rc") == ["heap-stays"])
    eventually(lambda: names(heap, "pods") == [first])
    left = heap.get("pod", first)["metadata"]
    assert "deletionTimestamp" not in left
    assert [one["name"] for one in left["ownerReferences"]] == ["heap-stays"]
    assert others


def test_61_an_orphaned_replica_set_has_no_owner(heap: Cluster) -> None:
    make(heap, "Deployment")
    before = names(heap, "rs")
    delete(heap, "deployment", "orphan")
    eventually(lambda: heap.get("deploy", "-l", "lot=heap")["items"] == [])
    (one,) = heap.get("rs", "-l", "lot=heap")["items"]
    assert [one["metadata"]["name"]] == before
    assert "ownerReferences" not in one["metadata"]
    assert len(heap.running("lot=heap")) == REPLICAS


def test_62_orphaned_pods_run_on(heap: Cluster) -> None:
    make(heap, "ReplicationController")
    before = names(heap, "pods")
    delete(heap, "rc", "orphan")
    eventually(lambda: heap.get("rc", "-l", "lot=heap")["items"] == [])
    assert names(heap, "pods") == before
    found = heap.get("pods", "-l", "lot=heap")["items"]
    assert not any("ownerReferences" in one["metadata"] for one in found)
    assert len(heap.running("lot=heap")) == REPLICAS


def make(cluster: Cluster, kind: str) -> None:
    cluster.apply(json.dumps(controller(kind, "heap", REPLICAS)))
    eventually(lambda: len(cluster.running("lot=heap")) == REPLICAS)


def controller(kind: str, name: str, replicas: int) -> Json:
    labels = {"lot": "heap", "app": "heap"}
    container = {
        "name": "c",
        "image": SHELL,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "100000"],
    }
    spec: Json = {"containers": [container], "terminationGracePeriodSeconds": 1}
    template = {"metadata": {"labels": labels}, "spec": spec}
    is_old = kind == "ReplicationController"
    return {
        "apiVersion": "v1" if is_old else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"lot": "heap"}},
        "spec": {
            "replicas": replicas,
            "selector": labels if is_old else {"matchLabels": labels},
            "template": template,
        },
    }


def lonely(name: str) -> Json:
    container = {"name": "c", "image": SHELL, "imagePullPolicy": "IfNotPresent"}
    made = pod(name, {**container, "command": ["sleep", "100000"]})
    made["metadata"]["labels"] = {"lot": "heap"}
    return made


def ref(version: str, kind: str, name: str, uid: str) -> Json:
    return {
        "apiVersion": version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "blockOwnerDeletion": True,
    }


def own(cluster: Cluster, name: str, owners: list[Json]) -> None:
    body = json.dumps({"metadata": {"ownerReferences": owners}})
    cluster.kubectl("patch", "pod", name, "--type=merge", "-p", body)


def hold(cluster: Cluster, name: str, finalizers: str) -> None:
    body = f'{{"metadata":{{"finalizers":{finalizers}}}}}'
    cluster.kubectl("patch", "pod", name, "--type=merge", "-p", body)


def delete(cluster: Cluster, kind: str, how: str) -> None:
    cluster.kubectl("delete", kind, "heap", f"--cascade={how}", "--wait=false")


def names(cluster: Cluster, kind: str) -> list[str]:
    found = cluster.get(kind, "-l", "lot=heap")["items"]
    return sorted(one["metadata"]["name"] for one in found)
