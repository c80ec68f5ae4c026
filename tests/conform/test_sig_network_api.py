"""Rows of sig-network that the API alone must show, by their numbers: every verb of its kinds."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from appliance.client.http import tls_context
from tests.conform.live import Live

Json = dict[str, Any]
MERGE = {"content-type": "application/merge-patch+json"}


@pytest.fixture
async def api(running: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=running.access.server,
        verify=tls_context(running.access),
        trust_env=False,
        timeout=20,
    ) as client:
        yield client


async def call(
    api: httpx.AsyncClient, method: str, path: str, body: Any = None, **more: Any
) -> Any:
    """JSON of an answer that is no refusal."""
    content = None if body is None else json.dumps(body)
    headers = more.pop("headers", {"content-type": "application/json"})
    answer = await api.request(method, path, content=content, headers=headers, params=more)
    assert answer.status_code < 300, (method, path, answer.text)
    return answer.json()


def names(found: Json) -> list[str]:
    return sorted(one["metadata"]["name"] for one in found["items"])


@dataclass(frozen=True)
class Asked:
    """A kind, and an object of it but for its name."""

    group: str
    plural: str
    kind: str
    body: Json
    status: Json | None = None
    namespaced: bool = True

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/v1"

    @property
    def home(self) -> str:
        return f"{self.root}/{'namespaces/default/' if self.namespaced else ''}{self.plural}"

    def named(self, name: str) -> Json:
        meta = {"name": name, "labels": {"row": "api"}}
        head = {"apiVersion": f"{self.group}/v1", "kind": self.kind, "metadata": meta}
        return {**head, **json.loads(json.dumps(self.body).replace("NAME", name))}


BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


async def every_verb(
    api: httpx.AsyncClient, asked: Asked, one: str, others: tuple[str, str]
) -> None:
    """Discovery, create, get, list, list everywhere, watch, patch, update, status, the deletes."""
    groups = await call(api, "GET", "/apis")
    assert asked.group in {g["name"] for g in groups["groups"]}
    versions = await call(api, "GET", f"/apis/{asked.group}")
    assert "v1" in {v["version"] for v in versions["versions"]}
    resources = (await call(api, "GET", asked.root))["resources"]
    assert asked.plural in {r["name"] for r in resources}

    for name in (one, *others):
        made = await call(api, "POST", asked.home, asked.named(name))
        assert made["metadata"]["uid"]
    got = await call(api, "GET", f"{asked.home}/{one}")
    assert (got["kind"], got["metadata"]["name"]) == (asked.kind, one)
    listed = await call(api, "GET", asked.home, labelSelector="row=api")
    assert names(listed) == sorted((one, *others))
    if asked.namespaced:
        everywhere = await call(api, "GET", f"{asked.root}/{asked.plural}", labelSelector="row=api")
        assert names(everywhere) == sorted((one, *others))

    seen = await changes_since(api, asked, listed["metadata"]["resourceVersion"], one)
    assert seen == ["patched", "updated"]

    if asked.status is not None:
        place = f"{asked.home}/{one}/status"
        patched = await call(api, "PATCH", place, {"status": asked.status}, headers=MERGE)
        assert patched["status"] == asked.status
        patched["metadata"]["annotations"] = {"by": "status"}
        put = await call(api, "PUT", place, patched)
        assert put["status"] == asked.status
        assert (await call(api, "GET", place))["status"] == asked.status

    await call(api, "DELETE", f"{asked.home}/{one}")
    assert (await api.get(f"{asked.home}/{one}")).status_code == 404
    await call(api, "DELETE", asked.home, labelSelector="row=api")
    assert names(await call(api, "GET", asked.home, labelSelector="row=api")) == []


async def changes_since(api: httpx.AsyncClient, asked: Asked, since: str, name: str) -> list[str]:
    """Patch and replace an object while somebody watches; what that one sees."""
    seen: list[str] = []
    query = {"watch": "1", "resourceVersion": since, "labelSelector": "row=api"}
    async with api.stream("GET", asked.home, params=query) as stream:
        patch = {"metadata": {"annotations": {"step": "patched"}}}
        changed = await call(api, "PATCH", f"{asked.home}/{name}", patch, headers=MERGE)
        changed["metadata"]["annotations"]["step"] = "updated"
        await call(api, "PUT", f"{asked.home}/{name}", changed)
        async for line in stream.aiter_lines():
            event = json.loads(line)
            assert event["type"] == "MODIFIED"
            seen.append(event["object"]["metadata"]["annotations"]["step"])
            if len(seen) == 2:
                break
    return seen


@pytest.mark.conformance(205)
async def test_205_endpoint_slices(api: httpx.AsyncClient) -> None:
    body = {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.7"]}],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
    }
    slices = Asked("discovery.k8s.io", "endpointslices", "EndpointSlice", body)
    await every_verb(api, slices, "one", ("two", "three"))


@pytest.mark.conformance(211)
async def test_211_ingresses(api: httpx.AsyncClient) -> None:
    rule = {"host": "a.example", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}  # fmt: skip
    body = {"spec": {"defaultBackend": BACKEND, "rules": [rule]}}
    status = {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}}
    ingresses = Asked("networking.k8s.io", "ingresses", "Ingress", body, status)
    await every_verb(api, ingresses, "one", ("two", "three"))


@pytest.mark.conformance(212)
async def test_212_ingress_classes(api: httpx.AsyncClient) -> None:
    body = {"spec": {"controller": "example.com/controller"}}
    classes = Asked("networking.k8s.io", "ingressclasses", "IngressClass", body, namespaced=False)
    await every_verb(api, classes, "one", ("two", "three"))


@pytest.mark.conformance(221)
async def test_221_addresses_of_services(api: httpx.AsyncClient) -> None:
    parent = {"group": "", "resource": "services", "namespace": "default", "name": "NAME"}
    addresses = Asked(
        "networking.k8s.io", "ipaddresses", "IPAddress", {"spec": {"parentRef": parent}},
        namespaced=False,
    )  # fmt: skip
    await every_verb(api, addresses, "192.168.1.5", ("fd00::7", "192.168.6.7"))


@pytest.mark.conformance(222)
async def test_222_ranges_of_services(api: httpx.AsyncClient) -> None:
    ranges = Asked(
        "networking.k8s.io", "servicecidrs", "ServiceCIDR", {"spec": {"cidrs": ["10.96.0.0/16"]}},
        {"conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": "",
                         "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        namespaced=False,
    )  # fmt: skip
    await every_verb(api, ranges, "one", ("two", "three"))


@pytest.mark.conformance(207)
async def test_207_endpoints_of_all_namespaces_by_label(api: httpx.AsyncClient) -> None:
    home = "/api/v1/namespaces/default/endpoints"

    def endpoints(address: str) -> Json:
        meta = {"name": "mine", "labels": {"row": "api"}}
        subset = {"addresses": [{"ip": address}], "ports": [{"name": "http", "port": 80}]}
        return {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": [subset]}

    await call(api, "POST", home, endpoints("192.0.2.1"))
    everywhere = await call(api, "GET", "/api/v1/endpoints", labelSelector="row=api")
    assert names(everywhere) == ["mine"]
    updated = await call(api, "PUT", f"{home}/mine", endpoints("192.0.2.2"))
    assert updated["subsets"][0]["addresses"] == [{"ip": "192.0.2.2"}]
    patch = {"metadata": {"labels": {"more": "yes"}}}
    patched = await call(api, "PATCH", f"{home}/mine", patch, headers=MERGE)
    assert patched["metadata"]["labels"] == {"row": "api", "more": "yes"}
    await call(api, "DELETE", home, labelSelector="row=api")
    assert names(await call(api, "GET", home, labelSelector="row=api")) == []


def a_service(name: str, **labels: str) -> Json:
    meta = {"name": name, "labels": labels}
    spec = {"ports": [{"port": 80}], "selector": {"app": name}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


SERVICES = "/api/v1/namespaces/default/services"


@pytest.mark.conformance(230)
async def test_230_a_services_status_is_read_patched_and_updated(api: httpx.AsyncClient) -> None:
    body = a_service("status", row="api")
    body["spec"]["type"] = "LoadBalancer"
    await call(api, "POST", SERVICES, body)
    place = f"{SERVICES}/status/status"
    balanced = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}
    patched = await call(
        api, "PATCH", place,
        {"metadata": {"annotations": {"patched": "true"}}, "status": balanced}, headers=MERGE,
    )  # fmt: skip
    assert patched["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.1"
    assert patched["metadata"]["annotations"] == {"patched": "true"}
    condition = {"type": "Told", "status": "True", "reason": "E2E", "message": "set",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}  # fmt: skip
    patched["status"]["conditions"] = [condition]
    updated = await call(api, "PUT", place, patched)
    assert updated["status"]["conditions"] == [condition]
    read = await call(api, "GET", place)
    assert read["status"] == updated["status"]
    labelled = await call(
        api, "PATCH", f"{SERVICES}/status", {"metadata": {"labels": {"now": "x"}}}, headers=MERGE
    )
    assert labelled["status"] == read["status"], "what the main resource is told stays out of it"
    await call(api, "DELETE", f"{SERVICES}/status")


@pytest.mark.conformance(231)
async def test_231_a_collection_of_services_is_deleted_by_label(api: httpx.AsyncClient) -> None:
    for name, label in (("one", "go"), ("two", "go"), ("three", "stay")):
        await call(api, "POST", SERVICES, a_service(name, which=label))
    await call(api, "DELETE", SERVICES, labelSelector="which=go")
    assert "three" in names(await call(api, "GET", SERVICES))
    assert {"one", "two"} & set(names(await call(api, "GET", SERVICES))) == set()
