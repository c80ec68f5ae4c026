"""A real HAProxy serves what the table says, through reloads and after we are gone."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from appliance.control.ingress.haproxy import Entry, certificate_list, config_of
from appliance.control.ingress.process import HAProxy, ProxyFault
from appliance.control.ingress.routes import Route, Target
from appliance.kit.clock import SystemClock
from appliance.kit.pki import Subject, issue, new_ca

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed (apt-get install haproxy)"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Site:
    """HAProxy, and two backends that answer with their name and what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.proxy = HAProxy(folder / "ingress")
        self.http_port, self.https_port = free_port(), free_port()
        self.targets: dict[str, Target] = {}
        self.servers: list[asyncio.Server] = []
        now = SystemClock().wall()
        self.ca = new_ca("ca", now=now)
        subject = Subject(common_name="x", sans=("secure.example",), server=True)
        pair = issue(self.ca, subject, now=now)
        self.pem = pair.cert_pem + pair.key_pem

    async def backend(self, name: str) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            scheme = "https" if "x-forwarded-proto: https" in head.lower() else "http"
            body = f"{name} {scheme} {head.split()[1]}"
            text = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write((text + body).encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        self.servers.append(server)
        port = server.sockets[0].getsockname()[1]
        self.targets[name] = Target(name, "127.0.0.1", port)

    async def serve(self, *routes: tuple[str, str, bool, str]) -> None:
        made = [Route(host, path, exact, self.targets[n]) for host, path, exact, n in routes]
        default = self.proxy.put_certificate("default", self.pem)
        entry = Entry(
            address="127.0.0.1",
            http_port=self.http_port,
            https_port=self.https_port,
            certificates=str(self.proxy.certificates.parent / "list"),
        )
        listed = {"list": certificate_list({}, str(default)).encode()}
        await self.proxy.apply(config_of(made, entry), listed)

    async def get(self, host: str, path: str) -> str:
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"http://127.0.0.1:{self.http_port}{path}"
            answer = await client.get(url, headers={"Host": host}, timeout=20)
        return answer.text.strip() if answer.is_success else str(answer.status_code)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    await made.backend("one")
    await made.backend("two")
    try:
        yield made
    finally:
        await made.proxy.stop()
        for server in made.servers:
            server.close()


async def test_requests_go_by_host_and_path(site: Site) -> None:
    await site.serve(
        ("a.example", "/api", False, "two"),
        ("a.example", "/", False, "one"),
        ("*.wild.example", "/only", True, "two"),
    )
    assert await site.get("a.example", "/api/x?q=1") == "two http /api/x?q=1"
    assert await site.get("A.EXAMPLE:80", "/apis") == "one http /apis"
    assert await site.get("x.wild.example", "/only") == "two http /only"
    assert await site.get("x.wild.example", "/only/more") == "404"
    assert await site.get("x.y.wild.example", "/only") == "404"
    assert await site.get("other.example", "/") == "404"


async def test_tls_ends_here_and_the_backend_is_told(site: Site) -> None:
    await site.serve(("secure.example", "/", False, "one"))
    trust = ssl.create_default_context(cadata=site.ca.cert_pem.decode())
    async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
        answer = await client.get(
            f"https://127.0.0.1:{site.https_port}/",
            headers={"Host": "secure.example"},
            extensions={"sni_hostname": "secure.example"},
        )
    assert answer.text == "one https /"


async def test_a_change_drops_no_request_and_keeps_the_process(site: Site) -> None:
    await site.serve(("a.example", "/", False, "one"))
    pid = site.proxy.running()
    seen: list[str] = []

    async def ask() -> None:
        while not seen or not seen[-1].startswith("two"):
            seen.append(await site.get("a.example", "/"))

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(ask())
        await site.serve(("a.example", "/", False, "two"))
    assert {answer.split()[0] for answer in seen} <= {"one", "two"}
    assert site.proxy.running() == pid


async def test_another_one_of_us_finds_it_running_and_sees_it_go(
    site: Site, tmp_path: Path
) -> None:
    await site.serve(("a.example", "/", False, "one"))
    later = HAProxy(tmp_path / "ingress")
    assert later.running() == site.proxy.running()
    waiting = asyncio.ensure_future(later.ended())
    await site.proxy.stop()
    async with asyncio.timeout(20):
        await waiting
    assert later.running() is None


async def test_a_bad_configuration_is_refused_and_the_old_one_stays(site: Site) -> None:
    await site.serve(("a.example", "/", False, "one"))
    with pytest.raises(ProxyFault, match="unknown keyword"):
        await site.proxy.apply("nonsense\n", {})
    assert await site.get("a.example", "/") == "one http /"


async def test_a_port_that_is_taken_is_told(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", site.http_port))
        taken.listen()
        with pytest.raises(ProxyFault, match="did not start"):
            await site.serve(("a.example", "/", False, "one"))
    assert site.proxy.running() is None


async def test_rubbish_is_no_certificate(site: Site) -> None:
    with pytest.raises(ProxyFault, match="no certificate with its key"):
        site.proxy.put_certificate("bad", b"rubbish")
