"""What a pod names of other objects, wherever it stands; and what its node may read for it."""

from pathlib import Path
from typing import Any

import pytest

from appliance.api import codec, localpath
from appliance.api.errors import Forbidden
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.secret import SECRET, Secret
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.client.base import Where
from appliance.client.http import HttpClient
from appliance.control.access.noderefs import references
from tests.conform.live import live

SPEC: dict[str, Any] = {
    "nodeName": "n1",
    "serviceAccountName": "robot",
    "imagePullSecrets": [{"name": "pull"}],
    "volumes": [
        {"name": "a", "secret": {"secretName": "mounted"}},
        {"name": "b", "configMap": {"name": "files"}},
        {
            "name": "c",
            "projected": {
                "sources": [
                    {"secret": {"name": "part"}},
                    {"configMap": {"name": "kube-root-ca.crt"}},
                ]
            },
        },
        {"name": "e", "persistentVolumeClaim": {"claimName": "disk"}},
        {"name": "f", "ephemeral": {}},
        {"name": "d", "csi": {"driver": "x", "nodePublishSecretRef": {"name": "driver"}}},
    ],
    "initContainers": [
        {"name": "i", "image": "x", "envFrom": [{"secretRef": {"name": "all"}}]},
    ],
    "containers": [
        {
            "name": "c",
            "image": "x",
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "k"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "two", "key": "k"}}},
                {"name": "secretName", "value": "not-a-name"},
            ],
        }
    ],
}


def test_every_place_of_a_pod_that_names_one_is_seen() -> None:
    pod, _ = codec.decode(Pod, {"spec": SPEC})
    secrets = {"pull", "mounted", "part", "driver", "all", "one"}
    config_maps = {"files", "kube-root-ca.crt", "settings", "two"}
    pod.metadata.name = "p"
    claims = {"disk", "p-f"}
    assert references(pod) == {
        *(("secrets", n) for n in secrets),
        *(("configmaps", n) for n in config_maps),
        *(("persistentvolumeclaims", n) for n in claims),
        ("serviceaccounts", "robot"),
    }


async def test_a_node_reads_the_secrets_of_its_own_pods_only(tmp_path: Path) -> None:
    async with live(tmp_path) as running:
        admin = HttpClient(running.access)
        node = HttpClient(running.access_of("system:node:n1", "system:nodes"))
        await admin.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
        for name in ("mounted", "others"):
            meta = ObjectMeta(name=name, namespace="shop")
            await admin.create(SECRET, Secret(metadata=meta))
        meta = ObjectMeta(name="robot", namespace="shop")
        await admin.create(SERVICE_ACCOUNT, ServiceAccount(metadata=meta))
        await admin.create(NODE, Node(metadata=ObjectMeta(name="n1")))
        with pytest.raises(Forbidden):
            await node.get(SECRET, "mounted", "shop")
        volumes = [v for v in SPEC["volumes"] if v["name"] != "f"]
        spec = SPEC | {"volumes": volumes}
        pod, _ = codec.decode(Pod, {"metadata": {"name": "p", "namespace": "shop"}, "spec": spec})
        await admin.create(POD, pod)
        assert (await node.get(SECRET, "mounted", "shop")).metadata.name == "mounted"
        with pytest.raises(Forbidden, match='secrets "others" is forbidden: User "system:node:n1"'):
            await node.get(SECRET, "others", "shop")
        with pytest.raises(Forbidden):
            await node.list(SECRET)
        own = Where(fields="spec.nodeName=n1")
        assert [p.metadata.name for p in (await node.list(POD, own)).items] == ["p"]
        assert (await node.get(POD, "p", "shop")).metadata.name == "p"
        for others in (
            Where(),
            Where(fields="spec.nodeName=n2"),
            Where(fields="spec.nodeName!=n1"),
        ):
            with pytest.raises(Forbidden):
                await node.list(POD, others)
        await admin.close()
        await node.close()


async def test_a_node_sees_and_lets_go_its_own_volumes_only(tmp_path: Path) -> None:
    async with live(tmp_path) as running:
        admin = HttpClient(running.access)
        node = HttpClient(running.access_of("system:node:n1", "system:nodes"))
        await admin.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
        meta = ObjectMeta(name="robot", namespace="shop")
        await admin.create(SERVICE_ACCOUNT, ServiceAccount(metadata=meta))
        await admin.create(NODE, Node(metadata=ObjectMeta(name="n1")))
        for name, labels in (
            ("mine", {localpath.NODE: "n1"}),
            ("others", {localpath.NODE: "n2"}),
            ("claimed", {}),
        ):
            await admin.create(PERSISTENT_VOLUME, volume(name, labels))
        await admin.create(POD, codec.decode(Pod, USER)[0])

        own = Where(labels=f"{localpath.NODE}=n1")
        found = (await node.list(PERSISTENT_VOLUME, own)).items
        assert [v.metadata.name for v in found] == ["mine"]
        for where in (Where(), Where(labels=f"{localpath.NODE}=n2"), Where(labels="a=b")):
            with pytest.raises(Forbidden):
                await node.list(PERSISTENT_VOLUME, where)
        await node.get(PERSISTENT_VOLUME, "claimed")  # by the claim of its pod
        with pytest.raises(Forbidden):
            await node.get(PERSISTENT_VOLUME, "others")

        freed = {"metadata": {"finalizers": ["kubernetes.io/pv-protection"]}}
        for name in ("claimed", "others"):
            with pytest.raises(Forbidden):
                await node.patch(PERSISTENT_VOLUME, name, freed)
        larger = freed | {"spec": {"capacity": {"storage": "9Gi"}}}
        with pytest.raises(Forbidden, match="can only remove the finalizer"):
            await node.patch(PERSISTENT_VOLUME, "mine", larger)
        left = await node.patch(PERSISTENT_VOLUME, "mine", freed)
        assert left.metadata.finalizers == ["kubernetes.io/pv-protection"]
        await admin.close()
        await node.close()


USER: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "shop"},
    "spec": {
        "nodeName": "n1",
        "serviceAccountName": "robot",
        "containers": [{"name": "c", "image": "x"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "disk"}}],
    },
}


def volume(name: str, labels: dict[str, str]) -> PersistentVolume:
    body = {
        "metadata": {"name": name, "labels": labels, "finalizers": [localpath.FINALIZER]},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/x"},
            "claimRef": {"namespace": "shop", "name": "disk" if name == "claimed" else "other"},
        },
    }
    return codec.decode(PersistentVolume, body)[0]
