"""A group that another API server answers for, which this test plays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from appliance.api.kinds.apiregistration.apiservice import API_SERVICE
from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.kinds.core.service import SERVICE
from appliance.client.http import HttpClient
from appliance.control.aggregation import remote
from appliance.control.aggregation.places import places_behind
from appliance.control.aggregation.trust import NAME, publish
from appliance.control.http.server import ApiServer
from appliance.control.registry.base import Query
from appliance.kit import jsonio
from appliance.kit.clock import SystemClock
from appliance.kit.pki import Subject, issue
from tests.conform.live import Live, live

AWAY = "192.0.2.1"
GROUP = "/apis/wardle.example.com/v1alpha1"
FLUNDERS = {
    "name": "flunders",
    "singularName": "flunder",
    "namespaced": True,
    "kind": "Flunder",
    "verbs": ["create", "get", "list"],
    "shortNames": ["fl"],
}
STATUS = {"name": "flunders/status", "namespaced": True, "kind": "Flunder", "verbs": ["get"]}


@dataclass
class Played:
    """Another API server."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    certificate: bytes | None = None
    is_well: bool = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path, code = scope["path"], 200 if self.is_well else 500
        body: Any = {"kind": "APIResourceList", "resources": [FLUNDERS, STATUS]}
        if path == "/openapi/v3":
            url = f"/openapi/v3{GROUP}?hash=F00D"
            body = {"paths": {GROUP.strip("/"): {"serverRelativeURL": url}}}
        elif path == f"/openapi/v3{GROUP}":
            body = {"openapi": "3.0.0"}
        elif path != GROUP:
            self.headers = list(scope["headers"])
            self.certificate = scope["extensions"]["tls"]["client_cert_der"]
            sent = (await receive()).get("body", b"")
            query = scope["query_string"].decode()
            body = {"asked": f"{scope['method']} {path}?{query}", "sent": sent.decode()}
        data = jsonio.dumps(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": data})


@dataclass
class Lab:
    running: Live
    played: Played
    client: HttpClient
    http: httpx.AsyncClient

    async def register(self, **more: Any) -> None:
        spec = {
            "group": "wardle.example.com",
            "version": "v1alpha1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"name": "ext", "namespace": "wardle"},
            "caBundle": self.running.ca.cert_pem,
        }
        meta = {"name": "v1alpha1.wardle.example.com"}
        made = msgspec.convert({"metadata": meta, "spec": spec | more}, API_SERVICE.type)
        await self.client.create(API_SERVICE, made)

    async def offer(self) -> None:
        """The service in front of the played server."""
        meta = {"name": "ext", "namespace": "wardle"}
        port = {"name": "https", "port": 443}
        service = {"metadata": meta, "spec": {"ports": [port]}}
        await self.client.create(SERVICE, msgspec.convert(service, SERVICE.type))
        subset = {"addresses": [{"ip": AWAY}], "ports": [{"name": "https", "port": 6443}]}
        endpoints = {"metadata": meta, "subsets": [subset]}
        await self.client.create(ENDPOINTS, msgspec.convert(endpoints, ENDPOINTS.type))

    async def condition(self, *reasons: str, name: str = "v1alpha1.wardle.example.com") -> Any:
        """The condition of a server, once it is for one of these reasons."""
        watch = self.running.registry.watch(API_SERVICE, Query())
        try:
            async with asyncio.timeout(10):
                async for event in watch:
                    found = event.item.obj
                    states = found.status.conditions
                    if found.metadata.name == name and states and states[0].reason in reasons:
                        return states[0]
        finally:
            await watch.aclose()


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    played = Played()
    async with live(tmp_path) as running:
        subject = Subject(common_name="ext", sans=("ext.wardle.svc",), server=True)
        pair = issue(running.ca, subject, now=SystemClock().wall())
        (tmp_path / "ext.crt").write_bytes(pair.cert_pem)
        (tmp_path / "ext.key").write_bytes(pair.key_pem)
        server = ApiServer(
            played,
            host="127.0.0.1",
            port=0,
            cert_pem_path=tmp_path / "ext.crt",
            key_pem_path=tmp_path / "ext.key",
            client_ca_path=tmp_path / "ca.crt",
        )
        await server.start()
        port = server.port

        async def here(*args: Any) -> list[tuple[str, int]]:
            """The played server is on loopback, where no endpoint may be."""
            return [("127.0.0.1", port) for _ in await places_behind(*args)]

        monkeypatch.setattr(remote, "places_behind", here)
        client = HttpClient(running.access)
        space = msgspec.convert({"metadata": {"name": "wardle"}}, NAMESPACE.type)
        await client.create(NAMESPACE, space)
        keeper = asyncio.ensure_future(running.aggregation.run())
        certificate = (str(tmp_path / "admin.crt"), str(tmp_path / "admin.key"))
        tls = httpx.create_ssl_context(verify=False)
        tls.load_cert_chain(*certificate)
        async with httpx.AsyncClient(base_url=running.access.server, verify=tls) as http:
            yield Lab(running, played, client, http)
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await client.close()
        await server.stop()


async def test_requests_reach_it_with_who_asks(lab: Lab) -> None:
    await lab.offer()
    await lab.register()
    assert (await lab.condition("Passed")).status == "True"
    url = f"{GROUP}/namespaces/a/flunders?dryRun=All"
    found = (await lab.http.post(url, content=b"x", headers={"X-Remote-User": "no"})).json()
    assert found == {"asked": f"POST {url}", "sent": "x"}
    told = [value for name, value in lab.played.headers if name.startswith(b"x-remote")]
    assert told[:2] == [b"root", b"system:masters"]
    assert lab.played.certificate, "they know us by our certificate"


async def test_it_is_in_the_documents(lab: Lab) -> None:
    await lab.offer()
    await lab.register()
    _ = await lab.condition("Passed")
    listed = (await lab.http.get("/apis")).json()["groups"]
    assert "wardle.example.com" in [group["name"] for group in listed]
    [flunders, status] = (await lab.http.get(GROUP)).json()["resources"]
    assert (flunders["kind"], flunders["shortNames"]) == ("Flunder", ["fl"])
    assert (status["name"], status["verbs"]) == ("flunders/status", ["get"])
    paths = (await lab.http.get("/openapi/v3")).json()["paths"]
    url = paths[GROUP.strip("/")]["serverRelativeURL"]
    assert (await lab.http.get(url)).json() == {"openapi": "3.0.0"}


async def test_what_is_not_there_is_told(lab: Lab) -> None:
    await lab.register()
    found = await lab.condition("ServiceNotFound")
    assert (found.status, found.message) == ("False", 'service/ext in "wardle" is not present')
    answer = await lab.http.get(f"{GROUP}/namespaces/a/flunders")
    assert (answer.status_code, answer.json()["message"]) == (503, "service unavailable")


async def test_a_server_that_is_not_well_is_not_available(lab: Lab) -> None:
    lab.played.is_well = False
    await lab.offer()
    await lab.register()
    found = await lab.condition("FailedDiscoveryCheck")
    assert "bad status: 500" in found.message


async def test_its_certificate_must_be_trusted(lab: Lab) -> None:
    await lab.offer()
    await lab.register(caBundle=b"")
    found = await lab.condition("FailedDiscoveryCheck")
    assert "CERTIFICATE_VERIFY_FAILED" in found.message


async def test_our_own_groups_are_listed_and_cannot_be_taken_over(lab: Lab) -> None:
    state = await lab.condition("Local", name="v1.apps")
    assert state.status == "True"
    assert lab.running.aggregation.find("apps", "v1") is None
    answer = await lab.http.get("/apis/apps/v1/deployments")
    assert answer.json()["kind"] == "DeploymentList"


async def test_others_are_told_whom_to_believe(lab: Lab) -> None:
    for front in (b"front", b"other"):
        await publish(lab.client, client_ca_pem=b"ca", front_ca_pem=front)
        path = f"/api/v1/namespaces/kube-system/configmaps/{NAME}"
        data = (await lab.http.get(path)).json()["data"]
        assert data["requestheader-client-ca-file"] == front.decode()
        assert data["requestheader-allowed-names"] == '["front-proxy-client"]'
