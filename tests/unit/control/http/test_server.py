"""The whole way in: TLS, who asks, may they, and the answers that need no object."""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.api.kind import Kind
from appliance.control.access.authn import CertificatesAndTokens, StaticToken
from appliance.control.access.rbac.builtin.reconcile import BUILT_IN
from appliance.control.http.app import Parts, build_app
from appliance.control.http.health import Check
from appliance.control.http.server import ApiServer
from appliance.control.registry.base import KindCounts, User
from appliance.kit.clock import SystemClock
from appliance.kit.pki import KeyPair, Subject, issue, new_ca

ADMIN = User(name="admin", groups=("system:masters",))


class Pki:
    """A CA and what it signed, as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now = SystemClock().wall()
        self._ca = new_ca("ca", now=self._now)
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(self._ca.cert_pem)

    def pair(self, name: str, subject: Subject, ca: KeyPair | None = None) -> tuple[Path, Path]:
        made = issue(ca or self._ca, subject, now=self._now)
        cert, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        cert.write_bytes(made.cert_pem)
        key.write_bytes(made.key_pem)
        return cert, key

    def client(
        self, port: int, pair: tuple[Path, Path] | None = None, token: str = ""
    ) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(self.ca))
        if pair is not None:
            context.load_cert_chain(*pair)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{port}", verify=context, headers=headers, trust_env=False
        )


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


class Unready:
    """A check that fails until told otherwise."""

    def __init__(self) -> None:
        self.ready = False

    async def __call__(self) -> None:
        if not self.ready:
            raise RuntimeError("not yet")


@pytest.fixture
def store() -> Unready:
    return Unready()


@pytest.fixture
async def server(pki: Pki, store: Unready) -> AsyncIterator[ApiServer]:
    authenticator = CertificatesAndTokens([StaticToken("t0ken", ADMIN)])
    parts = Parts(
        registry=NoObjects(),  # type: ignore[arg-type]  # nothing here asks for an object
        authenticator=authenticator,
        checks=[Check("store", store)],
    )
    cert, key = pki.pair("serving", Subject(common_name="api", sans=("127.0.0.1",), server=True))
    server = ApiServer(
        build_app(parts),
        host="127.0.0.1",
        port=0,
        cert_pem_path=cert,
        key_pem_path=key,
        client_ca_path=pki.ca,
    )
    await server.start()
    yield server
    await server.stop()


class BuiltIn:
    """The objects that every cluster has, for access control."""

    async def find(self, kind: Kind[Any], namespace: str, name: str) -> Any:
        del kind, namespace, name

    async def every(self, kind: Kind[Any], namespace: str = "") -> Sequence[Any]:
        return next((objs for k, objs in BUILT_IN if k is kind and not namespace), ())

    def changes(self, kind: Kind[Any]) -> int:
        del kind
        return 1


class NoObjects:
    """A registry that nobody asks for anything but its figures and the built-in roles."""

    lookup = BuiltIn()

    def counts(self) -> tuple[KindCounts, ...]:
        return (KindCounts("pods", "", 3, 2, 1, 0),)


Client = Callable[..., httpx.AsyncClient]


async def test_a_client_certificate_says_who_asks(server: ApiServer, pki: Pki) -> None:
    admin = Subject(common_name="root", organizations=("system:masters",), client=True)
    async with pki.client(server.port, pki.pair("admin", admin)) as client:
        shown = await client.get("/metrics")
        assert 'apiserver_resource_objects{group="",resource="pods"} 3.0' in shown.text
    async with pki.client(server.port, pki.pair("jane", Subject(common_name="jane"))) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 403
    assert answer.json()["message"] == 'forbidden: User "jane" cannot get path "/metrics"'


async def test_a_certificate_of_another_ca_does_not_get_in(server: ApiServer, pki: Pki) -> None:
    stranger = new_ca("stranger", now=SystemClock().wall())
    subject = Subject(common_name="root", organizations=("system:masters",), client=True)
    async with pki.client(server.port, pki.pair("forged", subject, stranger)) as client:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.get("/metrics")


async def test_a_token_says_who_asks(server: ApiServer, pki: Pki) -> None:
    async with pki.client(server.port, token="t0ken") as client:
        assert (await client.get("/api/v1")).status_code == 200
    async with pki.client(server.port, token="wrong") as client:
        answer = await client.get("/api/v1")
    assert answer.status_code == 401
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


async def test_without_credentials_there_is_health_and_version_only(
    server: ApiServer, pki: Pki
) -> None:
    async with pki.client(server.port) as client:
        assert (await client.get("/livez")).text == "ok"
        told = parsedate_to_datetime((await client.get("/livez")).headers["date"]).timestamp()
        assert abs(told - SystemClock().wall()) < 60
        version = (await client.get("/version")).json()
        assert version["major"].isdecimal()
        assert version["minor"].isdecimal()
        assert (await client.get("/api/v1/pods")).json()["message"] == (
            'pods is forbidden: User "system:anonymous" cannot list resource "pods" '
            'in API group "" at the cluster scope'
        )


async def test_readiness_waits_for_every_check_and_can_say_which(
    server: ApiServer, pki: Pki, store: Unready
) -> None:
    async with pki.client(server.port) as client:
        answer = await client.get("/readyz?verbose")
        assert answer.status_code == 500
        assert answer.text == "[+]ping ok\n[-]store failed: reason withheld\nreadyz check failed\n"
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz?exclude=store")).text == "ok"
        store.ready = True
        assert (await client.get("/readyz")).text == "ok"
        assert (await client.get("/readyz/store")).status_code == 403
    admin = Subject(common_name="root", organizations=("system:masters",), client=True)
    async with pki.client(server.port, pki.pair("admin", admin)) as client:
        assert (await client.get("/readyz/store")).text == "ok"
        assert (await client.get("/readyz/nosuch")).status_code == 404


async def test_unknown_places_and_methods_have_the_answers_of_upstream(
    server: ApiServer, pki: Pki
) -> None:
    async with pki.client(server.port, token="t0ken") as client:
        page = await client.get("/nosuch")
        assert (page.status_code, page.text) == (404, "404 page not found\n")
        resource = await client.get("/api/v1/nosuch")
        assert resource.json()["message"] == "the server could not find the requested resource"
        assert resource.json()["details"] == {}
        for method, path in (
            ("PUT", "/api/v1/nodes"),
            ("POST", "/version"),
            ("OPTIONS", "/api/v1/pods"),
        ):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.json()["reason"]) == (405, "MethodNotAllowed")


async def test_discovery_is_not_sent_twice(server: ApiServer, pki: Pki) -> None:
    async with pki.client(server.port, token="t0ken") as client:
        first = await client.get("/apis")
        again = await client.get("/apis", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_every_answer_has_an_audit_id_of_its_own(server: ApiServer, pki: Pki) -> None:
    async with pki.client(server.port) as client:
        ids = {(await client.get("/livez")).headers["audit-id"] for _ in range(2)}
    assert len(ids) == 2
