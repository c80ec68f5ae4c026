"""What conformance asks of the API of storage, by the numbers of the suite of 1.36, in our words.

Each kind is made, read, watched, patched, replaced, deleted, and deleted with others, over HTTPS.
"""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conform.live import Live, live

Json = dict[str, Any]
MERGE = {"Content-Type": "application/merge-patch+json"}
STORAGE = "/apis/storage.k8s.io/v1"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"

VOLUME: Json = {
    "capacity": {"storage": "1Gi"},
    "accessModes": ["ReadWriteOnce"],
    "hostPath": {"path": "/data"},
    "storageClassName": "mine",
}
CLAIM: Json = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
    "storageClassName": "mine",
}
ATTACHMENT: Json = {
    "attacher": "e2e.example.com",
    "nodeName": "n1",
    "source": {"persistentVolumeName": "v"},
}

LIVES = [
    pytest.param(f"{STORAGE}/csidrivers", {"spec": {"attachRequired": False}}, id="355"),
    pytest.param(f"{STORAGE}/csinodes", {"spec": {"drivers": []}}, id="357"),
    pytest.param(
        f"{STORAGE}/namespaces/default/csistoragecapacities", {"storageClassName": "mine"}, id="358"
    ),
    pytest.param("/api/v1/persistentvolumes", {"spec": VOLUME}, id="399-volume"),
    pytest.param(CLAIMS, {"spec": CLAIM}, id="399-claim"),
    pytest.param(f"{STORAGE}/storageclasses", {"provisioner": "e2e.example.com"}, id="437"),
    pytest.param(f"{STORAGE}/volumeattachments", {"spec": ATTACHMENT}, id="444"),
    pytest.param(
        f"{STORAGE}/volumeattributesclasses",
        {"driverName": "e2e.example.com", "parameters": {"iops": "1"}},
        id="445",
    ),
]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as server:
        yield server


@pytest.fixture
async def api(running: Live, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    access = running.access
    context = ssl.create_default_context(cadata=access.ca_pem.decode())
    for name, pem in (("c", access.cert_pem), ("k", access.key_pem)):
        (tmp_path / name).write_bytes(pem)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    async with httpx.AsyncClient(base_url=access.server, verify=context) as client:
        yield client


async def ok(answer: Any) -> Json:
    got: httpx.Response = await answer
    assert got.is_success, got.text
    body: Json = got.json()
    return body


@pytest.mark.parametrize(("path", "body"), LIVES)
async def test_an_object_of_storage_lives(api: httpx.AsyncClient, path: str, body: Json) -> None:
    named = {"metadata": {"name": "one", "labels": {"life": "yes"}}, **body}
    made = await ok(api.post(path, json=named))
    since = made["metadata"]["resourceVersion"]
    assert await ok(api.get(f"{path}/one")) == made
    patch = {"metadata": {"annotations": {"seen": "1"}}}
    patched = await ok(api.patch(f"{path}/one", json=patch, headers=MERGE))
    assert patched["metadata"]["annotations"] == {"seen": "1"}
    patched["metadata"]["labels"]["life"] = "long"
    replaced = await ok(api.put(f"{path}/one", json=patched))
    listed = await ok(api.get(path, params={"labelSelector": "life=long"}))
    assert [item["metadata"]["uid"] for item in listed["items"]] == [made["metadata"]["uid"]]
    everywhere = await ok(api.get(path.replace("/namespaces/default", "")))
    assert len(everywhere["items"]) == 1

    await gone(api, f"{path}/one")
    assert (await api.get(f"{path}/one")).status_code == 404
    seen = [event["type"] async for event in watch(api, path, since, until="DELETED")]
    assert seen[0] == "MODIFIED"
    assert seen[-1] == "DELETED"
    assert replaced["metadata"]["uid"] == made["metadata"]["uid"]

    for name in ("two", "three"):
        await ok(
            api.post(path, json={"metadata": {"name": name, "labels": {"life": "no"}}, **body})
        )
    await ok(api.delete(path, params={"labelSelector": "life=no"}))
    for item in (await ok(api.get(path)))["items"]:
        assert item["metadata"]["deletionTimestamp"], "only a finalizer holds it"
        await gone(api, f"{path}/{item['metadata']['name']}")
    assert (await ok(api.get(path)))["items"] == []


async def test_the_status_of_volumes_and_claims_changes_apart_from_them(
    api: httpx.AsyncClient,
) -> None:
    """Conformance 398."""
    await ok(
        api.post("/api/v1/persistentvolumes", json={"metadata": {"name": "v"}, "spec": VOLUME})
    )
    await ok(api.post(CLAIMS, json={"metadata": {"name": "c"}, "spec": CLAIM}))
    status: Json
    for path, status in (
        ("/api/v1/persistentvolumes/v/status", {"message": "patched", "reason": "E2E"}),
        (f"{CLAIMS}/c/status", {"conditions": [{"type": "Patched", "status": "True"}]}),
    ):
        assert await ok(api.get(path)) == await ok(api.get(path.removesuffix("/status")))
        patched = await ok(api.patch(path, json={"status": status}, headers=MERGE))
        field = next(iter(status))
        assert patched["status"][field]
        assert patched["spec"] == (await ok(api.get(path)))["spec"]
        patched["status"].pop(field)
        replaced = await ok(api.put(path, json=patched))
        assert field not in replaced["status"]


async def test_the_status_of_an_attachment_changes_apart_from_it(api: httpx.AsyncClient) -> None:
    """Conformance 443."""
    path = f"{STORAGE}/volumeattachments"
    made = await ok(api.post(path, json={"metadata": {"name": "a"}, "spec": ATTACHMENT}))
    assert made["status"] == {"attached": False}
    body = {"status": {"attached": True}}
    patched = await ok(api.patch(f"{path}/a/status", json=body, headers=MERGE))
    assert patched["status"] == {"attached": True}
    patched["status"]["attached"] = False
    replaced = await ok(api.put(f"{path}/a/status", json=patched))
    assert replaced["status"] == {"attached": False}


async def test_a_pod_may_name_a_volume_of_a_driver(api: httpx.AsyncClient) -> None:
    """Conformance 356."""
    await ok(api.post("/api/v1/namespaces/default/serviceaccounts", json=named("default")))
    source = {"driver": "e2e.example.com", "volumeAttributes": {"foo": "bar"}}
    volume = {"name": "v", "csi": source}
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": [volume]}
    path = "/api/v1/namespaces/default/pods"
    made = await ok(api.post(path, json={**named("p"), "spec": spec}))
    assert [v for v in made["spec"]["volumes"] if v["name"] == "v"] == [volume]
    listed = await ok(api.get(path))
    assert [item["metadata"]["name"] for item in listed["items"]] == ["p"]
    await ok(api.patch(f"{path}/p", json={"metadata": {"labels": {"a": "b"}}}, headers=MERGE))
    await ok(api.delete(path, params={"labelSelector": "a=b", "gracePeriodSeconds": 0}))


def named(name: str) -> Json:
    return {"metadata": {"name": name}}


async def gone(api: httpx.AsyncClient, path: str) -> None:
    """Delete it; what protects volumes and claims is taken away as its controller does."""
    left = (await api.delete(path)).json()
    if left.get("metadata", {}).get("finalizers"):
        assert left["metadata"]["deletionTimestamp"]
        await ok(api.patch(path, json={"metadata": {"finalizers": None}}, headers=MERGE))


async def watch(
    api: httpx.AsyncClient, path: str, since: str, *, until: str
) -> AsyncIterator[Json]:
    params = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "20"}
    async with api.stream("GET", path, params=params) as stream:
        async for line in stream.aiter_lines():
            event = json.loads(line)
            yield event
            if event["type"] == until:
                return
