"""The proxies of pods, services and nodes, towards a server that this test plays."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.api.errors import BadRequest
from appliance.api.kinds.core.endpoints import (
    ENDPOINTS,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
)
from appliance.api.kinds.core.service import SERVICE, Service, ServicePort, ServiceSpec
from appliance.api.meta import ObjectMeta
from appliance.control.http import proxies
from appliance.control.http.proxies import is_allowed, take_apart
from appliance.control.http.server import ApiServer
from appliance.control.registry.base import Call, User
from appliance.kit.duplex import connect
from appliance.kit.takeover import take_over
from appliance.kit.upgrading import ask, request_bytes
from tests.conform.live import Live, live
from tests.unit.control.http.test_logs import fill

PODS = "/api/v1/namespaces/shop/pods"
AWAY = "192.0.2.1"
SERVICES = "/api/v1/namespaces/shop/services"
CALL = Call(user=User(name="admin", groups=("system:masters",)))


@dataclass
class Played:
    """A web server that tells what it was asked."""

    seen: dict[bytes, bytes] = field(default_factory=dict)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen = dict(scope["headers"])
        path = scope["path"]
        if self.seen.get(b"upgrade"):
            connection = take_over(scope)
            await connection.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello")
            await connection.close()
            return
        message = await receive()
        body = b"%s %s?%s %s" % (
            scope["method"].encode(), path.encode(), scope["query_string"], message.get("body", b"")
        )  # fmt: skip
        headers = [(b"content-type", b"text/plain"), (b"x-own", b"1")]
        code = 200
        if path == "/page":
            headers[0] = (b"content-type", b"text/html; charset=utf-8")
            body = b'<a href="/other">x</a><a href="https://a.example/">y</a>'
        elif path == "/moved":
            code, headers = 302, [(b"location", b"/other?x=1")]
        elif path == "/broken":
            code = 418
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Lab:
    running: Live
    played: Played
    port: int
    http: httpx.AsyncClient
    tls: ssl.SSLContext

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.get(path, **more)


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    whole = proxies.base_url

    def here(scheme: str, _address: str, port: str) -> str:
        """The played server is on loopback, where nobody may be led."""
        return whole(scheme, AWAY, port).replace(AWAY, "127.0.0.1")

    monkeypatch.setattr(proxies, "base_url", here)
    played = Played()
    server = ApiServer(played, host="127.0.0.1", port=0, cert_pem_path=None, key_pem_path=None)
    await server.start()
    async with live(tmp_path) as running:
        await fill(running, 1)
        pod = f"{PODS}/web"
        tls = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        tls.load_cert_chain(tmp_path / "admin.crt", tmp_path / "admin.key")
        async with httpx.AsyncClient(base_url=running.access.server, verify=tls) as http:
            patch = {"status": {"podIP": AWAY, "podIPs": [{"ip": AWAY}]}}
            headers = {"content-type": "application/merge-patch+json"}
            answer = await http.patch(f"{pod}/status", json=patch, headers=headers)
            assert answer.is_success, answer.text
            await offer(running, server.port)
            yield Lab(running, played, server.port, http, tls)
    await server.stop()


async def offer(running: Live, port: int) -> None:
    """Services in front of the played server, and one with nothing behind it."""
    for name, ports in (("web", [("http", port)]), ("none", [])):
        spec = ServiceSpec(ports=[ServicePort(name="http", port=80)])
        service = Service(metadata=ObjectMeta(name=name), spec=spec)
        await running.registry.create(SERVICE, service, namespace="shop", call=CALL)
        subsets = [
            EndpointSubset(
                addresses=[EndpointAddress(ip=AWAY)],
                ports=[EndpointPort(name=n, port=p)],
            )
            for n, p in ports
        ]
        made = Endpoints(metadata=ObjectMeta(name=name), subsets=subsets)
        await running.registry.create(ENDPOINTS, made, namespace="shop", call=CALL)


async def test_a_request_reaches_a_pod_as_it_is(lab: Lab) -> None:
    url = f"{PODS}/web:{lab.port}/proxy/some%20path/?a=1&b"
    answer = await lab.http.post(url, content=b"body")
    assert answer.text == "POST /some path/?a=1&b body"
    assert answer.headers["x-own"] == "1"
    assert lab.played.seen[b"host"] == b"127.0.0.1:%d" % lab.port
    assert lab.played.seen[b"x-forwarded-uri"].endswith(b"/proxy")


async def test_credentials_stay_here(lab: Lab) -> None:
    headers = {"X-Remote-User": "root", "Authorization": "Basic eDp5"}
    answer = await lab.get(f"{PODS}/web:{lab.port}/proxy/", headers=headers)
    assert answer.status_code == 200
    assert not [n for n in lab.played.seen if n.startswith((b"x-remote", b"imperson", b"auth"))]


async def test_answers_of_all_kinds_come_back(lab: Lab) -> None:
    base = f"{PODS}/web:{lab.port}/proxy"
    assert (await lab.get(f"{base}/broken")).status_code == 418
    moved = await lab.get(f"{base}/moved")
    assert (moved.status_code, moved.headers["location"]) == (302, f"{base}/other?x=1")
    page = await lab.get(f"{base}/page")
    assert page.text == f'<a href="{base}/other">x</a><a href="https://a.example/">y</a>'
    bare = await lab.get(f"{base}?x=1")
    assert (bare.status_code, bare.headers["location"]) == (301, f"{base}/?x=1")
    assert (await lab.http.head(f"{base}/x")).headers["x-own"] == "1"


@pytest.mark.parametrize("name", ["web", "web:http", "web:80", "http:web:http", "http:web:"])
async def test_a_service_leads_to_its_endpoints(lab: Lab, name: str) -> None:
    answer = await lab.get(f"{SERVICES}/{name}/proxy/x")
    assert answer.text == "GET /x? "


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (f"{SERVICES}/none/proxy/", 503, 'no endpoints available for service "none"'),
        (f"{SERVICES}/web:99/proxy/", 503, 'no service port "99" found for service "web"'),
        (f"{SERVICES}/gone/proxy/", 404, 'services "gone" not found'),
        (f"{PODS}/web:no/proxy/", 400, 'invalid port "no"'),
        (f"{PODS}/a:b:c:d/proxy/", 400, 'invalid request name "a:b:c:d"'),
        (f"{PODS}/web:1/proxy/", 503, "error trying to reach service"),
    ],
)
async def test_where_it_leads_nowhere(lab: Lab, path: str, code: int, message: str) -> None:
    answer = await lab.get(path)
    assert answer.status_code == code, answer.text
    assert message in answer.json()["message"]


async def test_a_node_is_reached_by_its_port(lab: Lab) -> None:
    answer = await lab.get(f"/api/v1/nodes/n1:{lab.port}/proxy/metrics")
    assert answer.text == "GET /metrics? "


async def test_protocols_may_be_switched(lab: Lab) -> None:
    url = httpx.URL(lab.running.access.server)
    connection = await connect(url.host, url.port or 0, lab.tls)
    path = f"{PODS}/web:{lab.port}/proxy/ws"
    headers = [("Host", "x"), ("Connection", "Upgrade"), ("Upgrade", "x")]
    answer = await ask(connection, request_bytes("GET", path, headers))
    assert (answer.status, answer.headers["upgrade"]) == (101, "x")
    async with asyncio.timeout(5):
        assert await connection.reader.readexactly(5) == b"hello"
    await connection.close()


def test_names_say_scheme_and_port() -> None:
    found = take_apart("https:web:8443")
    assert (found.scheme, found.name, found.port) == ("https", "web", "8443")
    for wrong in (":", "ftp:web:1", ""):
        with pytest.raises(BadRequest):
            take_apart(wrong)


def test_nobody_is_led_to_the_host_itself() -> None:
    assert is_allowed("10.42.0.7")
    assert not any(
        map(
            is_allowed,
            ("127.0.0.1", "169.254.169.254", "::1", "::", "::ffff:127.0.0.1", "224.0.0.1"),
        )
    )
