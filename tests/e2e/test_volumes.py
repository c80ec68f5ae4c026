"""Persistent volumes on real engines: data outlives pods, and goes when its claim does."""

import json
from pathlib import Path
from typing import Any

from tests.lab.cluster import Cluster, eventually
from tests.lab.pods import Json, box

IDLE = "trap exit TERM; while :; do usleep 200000; done"
COUNT = f"echo start >> /data/starts; wc -l < /data/starts; {IDLE}"


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
