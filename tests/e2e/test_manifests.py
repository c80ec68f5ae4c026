"""Pods from a file, a URL, an etcd key and by POST; rows of docs/promises.md in the marks."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually
from tests.lab.manifests import ManifestWorld
from tests.lab.pods import Json, Status, box, pod
from tests.lab.shell_image import SHELL

IDLE = "trap exit TERM; while :; do usleep 200000; done"
"""It stops when asked to: the manifests of 2014 know no grace period, so theirs are 30 s."""
ALL = ("from-file", "from-url", "from-etcd", "from-post")


def old(name: str, script: str = IDLE) -> Json:
    """A manifest in the form of 2014."""
    return {
        "version": "v1beta1",
        "id": name,
        "containers": [{"name": "c", "image": SHELL, "command": ["sh", "-c", script],
                        "imagePullPolicy": "PullIfNotPresent"}],
    }  # fmt: skip


def new(name: str, script: str = IDLE) -> Json:
    """A pod of today."""
    return pod(name, box("c", script))


@pytest.fixture(scope="module")
def node(cluster: Cluster) -> Cluster:
    shell_image.load(cluster.runtime)
    return cluster


@pytest.fixture
def world(node: Cluster, manifests: ManifestWorld) -> Iterator[ManifestWorld]:
    """The places, empty at the end."""
    yield manifests
    for path in manifests.folder.iterdir():
        path.unlink()
    manifests.page, manifests.page_status = b"", 200
    manifests.delete()
    manifests.call(node.kubeconfig, "/containers", b"[]")
    eventually(lambda: not [p for p in names(node) if p.startswith("from-")])


def names(node: Cluster) -> list[str]:
    """Pods that the node itself runs, without its name at their end."""
    found = [p["metadata"]["name"] for p in node.get("pods")["items"]]
    return [name.removesuffix(f"-{node.node}") for name in found]


def status(node: Cluster, name: str) -> Status | None:
    full = f"{name}-{node.node}"
    found = node.run("get", "pod", full, "-o", "json")
    return Status(node, full, json.loads(found.stdout)) if found.returncode == 0 else None


def runs(node: Cluster, name: str) -> Status:
    def look() -> Status | None:
        found = status(node, name)
        return found if found is not None and found.ready() else None

    found = eventually(look)
    assert isinstance(found, Status)
    return found


def gone(node: Cluster, name: str) -> None:
    eventually(lambda: status(node, name) is None)


def timed(what: str, act: Callable[[], object], until: Callable[[], object]) -> float:
    start = time.monotonic()
    act()
    until()
    took = time.monotonic() - start
    print(f"{what}: {took:.2f} s")
    return took


@pytest.mark.seed("M01")
def test_a_file_is_taken_at_once_and_followed(node: Cluster, world: ManifestWorld) -> None:
    file = world.folder / "pod.yaml"
    timed("file to ready", lambda: file.write_text(json.dumps(new("from-file"))),
          lambda: runs(node, "from-file"))  # fmt: skip
    first = runs(node, "from-file")
    (world.folder / ".hidden.yaml").write_text(json.dumps(new("from-hidden")))
    (world.folder / "broken.yaml").write_text("kind: Pod\nspec: {")
    file.write_text("kind: Pod\nspec: [")  # broken in place: what runs stays
    eventually(lambda: refusals(node, "broken.yaml") and refusals(node, "pod.yaml"))
    assert runs(node, "from-file").id_of("c") == first.id_of("c")
    file.write_text(json.dumps(old("from-file", f"echo changed; {IDLE}")))
    eventually(lambda: (s := status(node, "from-file")) and s.ready() and s.uid != first.uid)
    eventually(lambda: node.kubectl("logs", f"from-file-{node.node}") == "changed\n")
    assert "from-hidden" not in names(node)
    file.unlink()
    gone(node, "from-file")


def refusals(node: Cluster, place: str) -> list[str]:
    """What the node says about a place."""
    selector = f"involvedObject.name={node.node},reason=ManifestRefused"
    told = node.get("events", "--field-selector", selector)["items"]
    return [e["message"] for e in told if place in e["message"]]


@pytest.mark.seed("M02")
def test_a_url_is_asked_and_errors_change_nothing(node: Cluster, world: ManifestWorld) -> None:
    world.page = json.dumps([old("from-url")]).encode()
    before = runs(node, "from-url")
    world.page_status = 500
    eventually(lambda: refusals(node, "answers 500"))
    world.page, world.page_status = b"<html>", 200
    eventually(lambda: refusals(node, "a manifest is an object"))
    assert runs(node, "from-url").id_of("c") == before.id_of("c")
    world.page = b""
    gone(node, "from-url")


@pytest.mark.seed("M03")
def test_a_key_in_etcd_acts_at_once(node: Cluster, world: ManifestWorld) -> None:
    listed = {"kind": "ContainerManifestList", "items": [old("from-etcd"), old("from-etcd-2")]}
    timed("etcd to ready", lambda: world.put(json.dumps(listed)), lambda: runs(node, "from-etcd"))
    runs(node, "from-etcd-2")
    world.put(json.dumps(old("from-etcd")))
    gone(node, "from-etcd-2")
    world.put("{{{")
    eventually(lambda: refusals(node, world.key))
    assert runs(node, "from-etcd").restarts("c") == 0
    world.delete()
    gone(node, "from-etcd")


@pytest.mark.seed("M04", "Q09", "Q02", "Q03", "Q08", "Q04", "Q06", "Q01")
def test_a_manifest_is_posted_to_the_node(node: Cluster, world: ManifestWorld) -> None:
    def ask(path: str, body: bytes | None = None) -> tuple[int, str]:
        return world.call(node.kubeconfig, path, body)

    assert ask("/healthz") == (200, "ok")
    code, said = ask("/container", json.dumps(old("from-post")).encode())
    full = f"from-post-{node.node}"
    assert (code, json.loads(said)) == (200, {"pods": [f"default/{full}"]})
    assert ask("/container", b"version: v1beta1\nid: [")[0] == 500
    before = runs(node, "from-post")
    code, said = ask(f"/podInfo?podID={full}&podNamespace=default")
    assert json.loads(said)["c"]["state"]["running"]
    assert json.loads(said)["net"]["podIP"] == before.ip
    assert full in ask("/boundPods")[1]
    assert full in ask("/pods")[1]
    assert ask(f"/run/default/{full}/c?cmd=hostname", b"") == (200, f"{full[:63]}\n")
    code, said = ask(f"/stats/default/{full}/{running_uid(ask, full)}/c")
    assert json.loads(said)["stats"][0]["memory"]["usage"] > 0
    summary = json.loads(ask("/stats/summary")[1])
    mine = next(p for p in summary["pods"] if p["podRef"]["name"] == full)
    assert mine["containers"][0]["memory"]["workingSetBytes"] > 0
    assert mine["network"]["rxBytes"] >= 0
    assert f'pod="{full}"' in ask("/metrics/resource")[1]
    assert ask("/logs/")[0] == 200
    assert ask("/containers", b"[]")[0] == 200
    gone(node, "from-post")


def running_uid(ask: Callable[[str], tuple[int, str]], full: str) -> str:
    """The uid that the node knows the pod by: its mirror has another."""
    items = json.loads(ask("/pods")[1])["items"]
    return next(str(p["metadata"]["uid"]) for p in items if p["metadata"]["name"] == full)


@pytest.mark.seed("M05", "M06", "M07", "M11")
def test_all_at_once_and_through_a_restart_of_the_agent(
    node: Cluster, world: ManifestWorld
) -> None:
    (world.folder / "a.json").write_text(json.dumps(new("from-file")))
    world.page = json.dumps(new("from-url")).encode()
    world.put(json.dumps({"kind": "PodList", "apiVersion": "v1", "items": [new("from-etcd")]}))
    world.call(node.kubeconfig, "/container", json.dumps(new("from-post")).encode())
    node.apply(json.dumps(new("from-api")))
    before = {name: runs(node, name).id_of("c") for name in ALL}
    eventually(lambda: Status(node, "from-api").ready())
    mirror = status(node, "from-etcd")
    assert mirror is not None
    assert mirror.pod["metadata"]["annotations"]["kubernetes.io/config.mirror"]
    assert mirror.pod["metadata"]["annotations"]["kubernetes.io/config.source"] == "etcd"
    node.kubectl("delete", "pod", f"from-etcd-{node.node}", "--grace-period=0", "--force")
    eventually(lambda: (s := status(node, "from-etcd")) and s.uid != mirror.uid)
    # One source breaks, the agent dies, and nobody loses a pod.
    world.page_status = 404
    agent = node.agent_pid()
    os.kill(agent, signal.SIGKILL)
    timed("agent again", lambda: None, lambda: eventually(lambda: agent_again(node, agent)))
    timed("node API again", lambda: None, lambda: eventually(lambda: answers(node, world)))
    timed("file to gone", (world.folder / "a.json").unlink, lambda: gone(node, "from-file"))
    assert {name: runs(node, name).id_of("c") for name in ALL[1:]} == {
        name: before[name] for name in ALL[1:]
    }
    node.kubectl("delete", "pod", "from-api")


def answers(node: Cluster, world: ManifestWorld) -> bool:
    try:
        return world.call(node.kubeconfig, "/healthz")[0] == 200
    except OSError:
        return False


def agent_again(node: Cluster, before: int) -> bool:
    try:
        return node.agent_pid() != before
    except (IndexError, OSError):
        return False
