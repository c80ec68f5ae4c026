"""What conformance asks of volumes, by the numbers of the suite of 1.36, in our words.

Pods that write what they see and end, and one that lives and is looked at while its objects
change. Volumes of objects are tried alone and as parts of a projected one.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually
from tests.lab.pods import Json, Status, box, many, pod

pytestmark = pytest.mark.slow  # `make e2e`: CI has no room for both engines
IDLE = "trap exit TERM; while :; do usleep 200000; done"
USER = {"securityContext": {"runAsUser": 1000}}
BINARY = "3q2+7w=="  # de ad be ef

OBJECTS: list[Json] = [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"},
     "data": {"data-1": "value-1", "data-2": "value-2"}, "binaryData": {"dump": BINARY}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
     "stringData": {"data-1": "hidden-1"}},
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other-space"}},
    {"apiVersion": "v1", "kind": "Secret",
     "metadata": {"name": "keys", "namespace": "other-space"}, "stringData": {"data-1": "wrong"}},
]  # fmt: skip


def see(name: str, path: str, **more: Any) -> Json:
    return {"name": name, "mountPath": path, **more}


def map_volume(name: str, **more: Any) -> Json:
    return {"name": name, "configMap": {"name": "map", **more}}


def secret_volume(name: str, **more: Any) -> Json:
    return {"name": name, "secret": {"secretName": "keys", **more}}


def projected(name: str, *sources: Json, **more: Any) -> Json:
    return {"name": name, "projected": {"sources": list(sources), **more}}


def as_projected(volume: Json) -> Json:
    """The same volume as a part of a projected one."""
    kind = next(k for k in volume if k != "name")
    source = dict(volume[kind])
    mode = source.pop("defaultMode", None)
    if "secretName" in source:
        source["name"] = source.pop("secretName")
    return projected(
        volume["name"], {kind: source}, **({} if mode is None else {"defaultMode": mode})
    )


MAPPED = [{"key": "data-1", "path": "path/to/it"}]
MODED = [{"key": "data-1", "path": "it", "mode": 0o400}]
SHOW = "for f in {files}; do stat -L -c %a $f; cat $f; echo; done"


def files_pod(name: str, volumes: list[Json], shown: dict[str, str]) -> Json:
    """All volumes at /<name>, shown to root and to another user."""
    mounts = [see(v["name"], f"/{v['name']}") for v in volumes]
    root = box("root", SHOW.format(files=" ".join(shown.values())), volumeMounts=mounts)
    user = box("user", "cat /plain/data-1 /mapped/path/to/it", volumeMounts=mounts, **USER)
    return pod(name, root, user, volumes=volumes, restartPolicy="Never")


def volumes_of(make: Any) -> list[Json]:
    return [
        make("plain"),
        make("default", defaultMode=0o400),
        make("mapped", items=MAPPED),
        make("moded", items=MODED),
        make("twice"),
    ]


SHOWN = {
    "plain": "/plain/data-1", "default": "/default/data-1", "mapped": "/mapped/path/to/it",
    "moded": "/moded/it", "twice": "/twice/data-1",
}  # fmt: skip


def said(value: str) -> str:
    return "".join(f"{mode}\n{value}\n" for mode in (644, 400, 644, 400, 644))


def downward(name: str, **more: Any) -> Json:
    def size(path: str, resource: str, container: str = "sized") -> Json:
        return {"path": path,
                "resourceFieldRef": {"containerName": container, "resource": resource}}  # fmt: skip

    items = [
        {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}, "mode": 0o400},
        size("cpu-limit", "limits.cpu"), size("cpu-request", "requests.cpu"),
        size("memory-limit", "limits.memory"), size("memory-request", "requests.memory"),
        size("node-cpu", "limits.cpu", "live"), size("node-memory", "limits.memory", "live"),
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}},
    ]  # fmt: skip
    return {"name": name, "downwardAPI": {"items": items, **more}}


def optional(name: str) -> list[Json]:
    """A config map and a secret that may be missing, alone and projected."""
    maybe = {"name": name, "optional": True}
    secret = {"secretName": name, "optional": True}
    return [
        {"name": "map", "configMap": maybe},
        {"name": "secret", "secret": secret},
        projected("both", {"configMap": maybe}, {"secret": maybe}),
    ]


def empty_dirs() -> Json:
    """Modes of files and of the folder itself, for root and another user, on disk and in memory."""
    script = (
        "for m in 0644 0666 0777; do f=/{at}/$m-$(id -u); echo x > $f;"
        " chmod $m $f; stat -c %a $f; cat $f; done; stat -c %a /{at}"
    )
    boxes = [
        box(f"{who}-{at}", script.format(at=at), volumeMounts=[see(at, f"/{at}")], **context)
        for who, context in (("root", {}), ("user", USER))
        for at in ("disk", "memory")
    ]
    kind = box("kind", "grep ' /memory ' /proc/mounts", volumeMounts=[see("memory", "/memory")])
    volumes = [
        {"name": "disk", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
    ]
    return pod("empty-dirs", *boxes, kind, volumes=volumes, restartPolicy="Never")


def subpaths() -> Json:
    volumes = [map_volume("cm"), secret_volume("se"), downward("do"),
               projected("pr", {"configMap": {"name": "map"}})]  # fmt: skip
    mounts = [
        see("cm", "/a/cm", subPath="data-1"), see("se", "/a/se", subPath="data-1"),
        see("do", "/a/do", subPath="name"), see("pr", "/a/pr", subPath="data-2"),
        see("cm", "/etc/passwd", subPath="data-1"),
    ]  # fmt: skip
    script = "for f in /a/cm /a/se /a/do /a/pr /etc/passwd; do cat $f; echo; done"
    sized = box("sized", script, volumeMounts=mounts)
    return pod("subpaths", sized, box("live", "true"), volumes=volumes, restartPolicy="Never")


def live() -> Json:
    """What is looked at while its objects change."""
    sizes = {"requests": {"cpu": "10m", "memory": "32Mi"},
             "limits": {"cpu": "2", "memory": "64Mi"}}  # fmt: skip
    changing = {"name": "changing"}
    volumes = [
        downward("downward", defaultMode=0o440),
        as_projected(downward("as-part")),
        {"name": "changed", "configMap": changing},
        projected("changed-too", {"configMap": changing}),
        *optional("appears"),
    ]
    mounts = [see(v["name"], f"/{v['name']}") for v in volumes]
    boxes = box("live", IDLE, volumeMounts=mounts), box("sized", IDLE, resources=sizes)
    made = pod("live", *boxes, volumes=volumes)
    made["metadata"]["annotations"] = {"note": "one"}
    return made


@pytest.fixture(scope="module")
def pods(cluster: Cluster) -> Iterator[Cluster]:
    shell_image.load(cluster.runtime)
    maps, secrets = volumes_of(map_volume), volumes_of(secret_volume)
    group = {"fsGroup": 1001, "runAsUser": 1000}
    grouped = box("a", "stat -L -c '%a %g' /s/data-1 /p/data-1; cat /s/data-1 /p/data-1",
                  volumeMounts=[see("s", "/s"), see("p", "/p")])  # fmt: skip
    binary = "cat /m/dump | wc -c; cat /m/data-2"
    combined = projected(
        "all", {"secret": {"name": "keys", "items": [{"key": "data-1", "path": "secret"}]}},
        {"configMap": {"name": "map", "items": [{"key": "data-1", "path": "map"}]}},
        {"downwardAPI": {"items": [
            {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}})  # fmt: skip
    changing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "changing"},
                "data": {"key": "old"}}  # fmt: skip
    cluster.apply(many(
        *OBJECTS, changing,
        files_pod("maps", maps, SHOWN), files_pod("secrets", secrets, SHOWN),
        files_pod("maps-in", [as_projected(v) for v in maps], SHOWN),
        files_pod("secrets-in", [as_projected(v) for v in secrets], SHOWN),
        pod("grouped", grouped, securityContext=group, restartPolicy="Never", volumes=[
            secret_volume("s", defaultMode=0o440),
            as_projected(secret_volume("p", defaultMode=0o440))]),
        pod("binary", box("a", binary, volumeMounts=[see("m", "/m")]), restartPolicy="Never",
            volumes=[map_volume("m")]),
        pod("combined", box("a", "cat /all/secret /all/map /all/name",
            volumeMounts=[see("all", "/all")]), volumes=[combined], restartPolicy="Never"),
        empty_dirs(), subpaths(), live(),
    ))  # fmt: skip
    yield cluster
    cluster.kubectl("delete", "pods", "-l", "pod", "--grace-period=1")
    cluster.kubectl("delete", "configmap/map", "configmap/changing", "secret/keys",
                    "namespace/other-space")  # fmt: skip


def logs(pods: Cluster, name: str, container: str = "a") -> str:
    eventually(lambda: Status(pods, name).phase in {"Succeeded", "Failed"})
    return pods.kubectl("logs", name, "-c", container)


@pytest.mark.parametrize(
    ("name", "value"),
    [("maps", "value-1"), ("maps-in", "value-1"), ("secrets", "hidden-1"),
     ("secrets-in", "hidden-1")],
)  # fmt: skip
def test_files_of_objects(pods: Cluster, name: str, value: str) -> None:
    """Conformance 361 to 367, 402 to 408, 422, 424 to 427, 429, 430, 432 to 435."""
    assert logs(pods, name, "root") == said(value)
    assert logs(pods, name, "user") == value * 2


def test_a_group_reads_what_others_may_not(pods: Cluster) -> None:
    """Conformance 423, 431."""
    assert logs(pods, "grouped") == "440 1001\n440 1001\nhidden-1hidden-1"


def test_binary_data(pods: Cluster) -> None:
    """Conformance 359."""
    assert logs(pods, "binary") == "4\nvalue-2"


def test_all_in_one(pods: Cluster) -> None:
    """Conformance 397, 400."""
    assert logs(pods, "combined") == "hidden-1value-1combined"


def test_modes_in_empty_dirs(pods: Cluster) -> None:
    """Conformance 381 to 395."""
    for who in ("root", "user"):
        for at in ("disk", "memory"):
            want = "".join(f"{mode}\nx\n" for mode in (644, 666, 777)) + "777\n"
            assert logs(pods, "empty-dirs", f"{who}-{at}") == want
    assert "tmpfs" in logs(pods, "empty-dirs", "kind")


def test_single_files_out_of_volumes(pods: Cluster) -> None:
    """Conformance 438 to 442."""
    want = "value-1\nhidden-1\nsubpaths\nvalue-2\nvalue-1\n"
    assert logs(pods, "subpaths", "sized") == want


def read(pods: Cluster, *paths: str) -> str:
    found = pods.run("exec", "live", "-c", "live", "--", "cat", *paths)
    return found.stdout + found.stderr


def test_a_pod_reads_of_itself(pods: Cluster) -> None:
    """Conformance 370 to 378, 410 to 418."""
    eventually(lambda: Status(pods, "live").ready())
    node = pods.get("node", pods.node)["status"]["allocatable"]
    memory = int(node["memory"].removesuffix("Ki")) * 1024
    wanted = {
        "name": "live", "cpu-limit": "2", "cpu-request": "1", "memory-limit": str(64 << 20),
        "memory-request": str(32 << 20), "node-cpu": node["cpu"], "node-memory": str(memory),
    }  # fmt: skip
    for at in ("downward", "as-part"):
        assert {name: read(pods, f"/{at}/{name}") for name in wanted} == wanted
    look = ("exec", "live", "-c", "live", "--", "stat", "-L", "-c", "%a")
    assert pods.kubectl(*look, "/downward/name", "/downward/labels") == "400\n440\n"
    assert pods.kubectl(*look, "/as-part/name", "/as-part/labels") == "400\n644\n"


def test_what_a_pod_reads_of_itself_changes_at_once(pods: Cluster) -> None:
    """Conformance 379, 380, 419, 420."""
    eventually(lambda: Status(pods, "live").ready())
    pods.kubectl("label", "pod", "live", "fresh=yes")
    pods.kubectl("annotate", "pod", "live", "note=two", "--overwrite")
    for at in ("downward", "as-part"):
        eventually(lambda at=at: 'fresh="yes"' in read(pods, f"/{at}/labels"), within_s=10)
        eventually(lambda at=at: 'note="two"' in read(pods, f"/{at}/notes"), within_s=10)


def test_changed_objects_reach_the_files(pods: Cluster) -> None:
    """Conformance 360, 369, 401, 409, 421, 428: within the sync period, a minute."""
    eventually(lambda: Status(pods, "live").ready())
    assert read(pods, "/changed/key", "/changed-too/key") == "oldold"
    pods.kubectl("patch", "configmap", "changing", "-p", '{"data": {"key": "new"}}')
    pods.kubectl("create", "configmap", "appears", "--from-literal=m=1")
    pods.kubectl("create", "secret", "generic", "appears", "--from-literal=s=2")
    eventually(lambda: read(pods, "/changed/key", "/changed-too/key") == "newnew", within_s=150)
    paths = ("/map/m", "/secret/s", "/both/m", "/both/s")
    eventually(lambda: read(pods, *paths) == "1212", within_s=150)
    pods.kubectl("delete", "configmap/appears", "secret/appears")
    eventually(lambda: read(pods, *paths).count("No such file") == 4, within_s=150)
