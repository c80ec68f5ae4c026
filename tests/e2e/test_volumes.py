"""Persistent volumes on real engines: data outlives pods, and goes when its claim does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually
from tests.lab.pods import Json, box, many, pod

IDLE = "trap exit TERM; while :; do usleep 200000; done"
COUNT = f"echo start >> /data/starts; wc -l < /data/starts; {IDLE}"


@pytest.fixture(autouse=True, scope="module")
def _image(cluster: Cluster) -> None:
    shell_image.load(cluster.runtime)


def stateful_set(name: str, script: str, replicas: int = 1) -> Json:
    container = box("db", script, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            "volumeClaimTemplates": [claim("data")],
        },
    }


def claim(name: str, **spec: Any) -> Json:
    body = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        **spec,
    }
    meta = {"name": name}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": body}


def said(cluster: Cluster, name: str, text: str) -> None:
    def look() -> bool:
        found = cluster.run("logs", name)
        return found.returncode == 0 and found.stdout.strip() == text

    assert eventually(look), cluster.run("describe", "pod", name).stdout


def folder_of(cluster: Cluster, name: str) -> Path:
    volume = cluster.get("pv", cluster.get("pvc", name)["spec"]["volumeName"])
    return Path(volume["spec"]["local"]["path"])


def test_data_survives_pods_and_goes_with_its_claim(cluster: Cluster) -> None:
    cluster.apply(json.dumps(stateful_set("counter", COUNT)))
    said(cluster, "counter-0", "1")
    found = cluster.get("pvc", "data-counter-0")
    assert found["spec"]["storageClassName"] == "local-path"
    assert (found["status"]["phase"], found["status"]["capacity"]) == ("Bound", {"storage": "1Gi"})
    folder = folder_of(cluster, "data-counter-0")
    assert folder.parent == cluster.data / "storage"
    cluster.kubectl("delete", "pod", "counter-0")
    said(cluster, "counter-0", "2")
    cluster.kubectl("scale", "sts", "counter", "--replicas=0")
    cluster.kubectl("wait", "--for=delete", "pod/counter-0", "--timeout=60s")
    assert (folder / "starts").read_text() == "start\nstart\n", "scaling down keeps the data"
    cluster.kubectl("scale", "sts", "counter", "--replicas=1")
    said(cluster, "counter-0", "3")

    cluster.kubectl("delete", "pvc", "data-counter-0", "--wait=false")
    assert (folder / "starts").exists(), "a pod uses it"
    cluster.kubectl("delete", "sts", "counter", "--cascade=foreground")
    eventually(lambda: not folder.exists())
    eventually(lambda: cluster.get("pv")["items"] == [])
    assert cluster.run("get", "pvc", "data-counter-0").returncode == 1


@pytest.mark.slow
def test_data_survives_a_restart_of_everything(cluster: Cluster) -> None:
    cluster.apply(json.dumps(stateful_set("kept", COUNT)))
    said(cluster, "kept-0", "1")
    cluster.kill()
    cluster.start()
    found = cluster.get("pod", "kept-0")
    assert found["status"]["containerStatuses"][0]["restartCount"] == 0, "it went on meanwhile"
    cluster.kubectl("delete", "pod", "kept-0")
    said(cluster, "kept-0", "2")
    folder = folder_of(cluster, "data-kept-0")
    cluster.kubectl("delete", "sts", "kept", "--cascade=foreground")
    assert folder.exists(), "claims outlive their set"
    cluster.kubectl("delete", "pvc", "data-kept-0")
    eventually(lambda: not folder.exists())


def volume(name: str, **spec: Any) -> Json:
    body = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
        "storageClassName": "by-hand",
        **spec,
    }
    meta = {"name": name}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": body}


@pytest.mark.slow
def test_volumes_of_people_are_bound_mounted_and_left_alone(
    cluster: Cluster, tmp_path: Path
) -> None:
    """A folder of the host for many readers; a local one for a user with a group; a sub-path."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "text").write_text("from the host")
    (tmp_path / "own").mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}
    cluster.apply(
        many(
            volume("shared", hostPath={"path": str(tmp_path / "shared"), "type": "Directory"}),
            volume(
                "own",
                local={"path": str(tmp_path / "own")},
                capacity={"storage": "2Gi"},
                nodeAffinity={"required": {"nodeSelectorTerms": [term]}},
            ),
            claim("shared", storageClassName="by-hand", accessModes=["ReadOnlyMany"]),
            claim("own", storageClassName="by-hand", volumeName="own"),
        )
    )
    reads = "cat /s/text; touch /s/x 2>/dev/null || echo ' not written'; cat /sub/f 2>/dev/null"
    writes = "echo mine > /o/file; mkdir -p /o/deep; echo inner > /o/deep/f; stat -c %g /o/file"
    one = pod(
        "both",
        box("reads", reads, volumeMounts=[{"name": "s", "mountPath": "/s"}]),
        box("writes", writes, volumeMounts=[{"name": "o", "mountPath": "/o"}]),
        volumes=[
            {"name": "s", "persistentVolumeClaim": {"claimName": "shared", "readOnly": True}},
            {"name": "o", "persistentVolumeClaim": {"claimName": "own"}},
        ],
        securityContext={"runAsUser": 1000, "fsGroup": 2000},
        restartPolicy="Never",
    )
    part = pod(
        "part",
        box(
            "a",
            "cat /sub/f",
            volumeMounts=[{"name": "o", "mountPath": "/sub", "subPath": "deep"}],
        ),
        volumes=[{"name": "o", "persistentVolumeClaim": {"claimName": "own"}}],
        restartPolicy="Never",
    )
    cluster.apply(json.dumps(one))
    ended(cluster, "both")
    assert cluster.kubectl("logs", "both", "-c", "reads") == "from the host not written\n"
    assert cluster.kubectl("logs", "both", "-c", "writes") == "2000\n"
    cluster.apply(json.dumps(part))
    ended(cluster, "part")
    assert cluster.kubectl("logs", "part") == "inner\n"
    cluster.kubectl("delete", "pod", "both", "part", "--grace-period=0", "--force")
    cluster.kubectl("delete", "pvc", "shared", "own")
    eventually(lambda: {v["status"]["phase"] for v in cluster.get("pv")["items"]} == {"Released"})
    assert (tmp_path / "own" / "file").read_text() == "mine\n"
    cluster.kubectl("delete", "pv", "shared", "own")


@pytest.mark.slow
def test_a_pods_own_claim_lives_as_long_as_it(cluster: Cluster) -> None:
    template = {"spec": claim("x")["spec"]}
    scratch = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}
    mounts = [{"name": "scratch", "mountPath": "/s"}]
    script = f"echo hello > /s/f; cat /s/f; {IDLE}"
    cluster.apply(json.dumps(pod("own", box("a", script, volumeMounts=mounts), volumes=[scratch])))
    said(cluster, "own", "hello")
    folder = folder_of(cluster, "own-scratch")
    assert (folder / "f").read_text() == "hello\n"
    cluster.kubectl("delete", "pod", "own")
    eventually(lambda: not folder.exists())
    eventually(lambda: cluster.get("pvc")["items"] == [])


@pytest.mark.slow
def test_a_pod_past_the_scheduler_waits_for_its_claim_and_says_so(cluster: Cluster) -> None:
    cluster.apply(json.dumps(claim("unbound", storageClassName="nobody")))
    source = [{"name": "v", "persistentVolumeClaim": {"claimName": "unbound"}}]
    cluster.apply(json.dumps(pod("forced", box("a", IDLE), volumes=source, nodeName=cluster.node)))

    def reasons() -> str:
        return cluster.kubectl("get", "events", "-o", "jsonpath={.items[*].message}")

    eventually(lambda: "error processing PVC default/unbound: PVC is not bound" in reasons())
    path = cluster.data / "by-hand"
    spec = {"hostPath": {"path": str(path), "type": "DirectoryOrCreate"}}
    cluster.apply(json.dumps(volume("late", storageClassName="nobody", **spec)))
    eventually(lambda: cluster.running("pod=forced"))
    cluster.kubectl("delete", "pod", "forced", "--grace-period=1")
    cluster.kubectl("delete", "pvc", "unbound")
    cluster.kubectl("delete", "pv", "late")


@pytest.mark.slow
def test_a_namespace_goes_with_pods_claims_and_folders(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "shop")
    whole = stateful_set("db", COUNT, replicas=2)
    cluster.kubectl("apply", "-n", "shop", "-f", "-", stdin=json.dumps(whole))
    eventually(lambda: len(list((cluster.data / "storage").glob("pvc-*_shop_data-db-*"))) == 2)
    cluster.kubectl("delete", "namespace", "shop", "--timeout=60s")
    eventually(lambda: not list((cluster.data / "storage").glob("pvc-*_shop_*")))
    eventually(lambda: cluster.get("pv")["items"] == [])


def ended(cluster: Cluster, name: str) -> None:
    def look() -> bool:
        return bool(cluster.get("pod", name)["status"]["phase"] in {"Succeeded", "Failed"})

    assert eventually(look), cluster.run("describe", "pod", name).stdout
