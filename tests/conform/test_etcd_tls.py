"""Certificates and signed tokens, as `appliance store` is told about them, with stock etcdctl."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.assembly.store import store_alone
from appliance.config.schema import Config
from appliance.kit.clock import SystemClock
from appliance.kit.pki import Subject, issue, new_ca
from appliance.kit.tasks import Tasks
from tests.conform.etcd_endpoints import ETCDCTL, Etcdctl
from tests.lab.cluster import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ETCDCTL is None, reason="etcdctl is not installed (etcd-client)"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a CA, and certificates for the server, root and alice."""
    now = SystemClock().wall()
    ca = new_ca("test-ca", now=now)
    (tmp_path / "ca.crt").write_bytes(ca.cert_pem)
    for name, subject in (
        ("server", Subject(common_name="etcd", sans=("127.0.0.1",), server=True)),
        ("root", Subject(common_name="root", client=True)),
        ("alice", Subject(common_name="alice", client=True)),
    ):
        pair = issue(ca, subject, now=now)
        (tmp_path / f"{name}.crt").write_bytes(pair.cert_pem)
        (tmp_path / f"{name}.key").write_bytes(pair.key_pem)
    return tmp_path


def as_user(folder: Path, name: str) -> tuple[str, ...]:
    trust = f"--cacert={folder / 'ca.crt'}"
    return trust, f"--cert={folder / name}.crt", f"--key={folder / name}.key"


@asynccontextmanager
async def served(folder: Path, **more: str | bool) -> AsyncIterator[Etcdctl]:
    """The store alone behind TLS."""
    url = f"https://127.0.0.1:{free_port()}"
    config = Config(
        role="store",
        data_dir=str(folder / "data"),
        listen_client_urls=url,
        cert_file=str(folder / "server.crt"),
        key_file=str(folder / "server.key"),
        trusted_ca_file=str(folder / "ca.crt"),
        **more,  # type: ignore[arg-type]
    )
    async with Tasks("test") as tasks, store_alone(config, tasks):
        yield Etcdctl(url)


async def test_tls_lets_in_who_has_a_certificate(folder: Path) -> None:
    async with served(folder) as etcdctl:
        assert (await etcdctl("put", "a", "1", *as_user(folder, "alice"))).out == "OK\n"
        trust = f"--cacert={folder / 'ca.crt'}"
        refused = await etcdctl("get", "a", trust, "--command-timeout=300ms")
    assert refused.code != 0
    assert refused.out == ""


async def test_a_certificate_says_which_user_it_is(folder: Path) -> None:
    root, alice = as_user(folder, "root"), as_user(folder, "alice")
    async with served(folder, client_cert_auth=True) as etcdctl:
        for command in (
            "user add root --no-password",
            "user add alice --no-password",
            "role add reader",
            "role grant-permission reader read a",
            "user grant-role alice reader",
            "auth enable",
            "put a 1",
            "put b 2",
        ):
            done = await etcdctl(*command.split(), *root)
            assert done.code == 0, (command, done)
        assert (await etcdctl("get", "a", *alice)).out == "a\n1\n"
        assert "permission denied" in (await etcdctl("get", "b", *alice)).err
        assert "permission denied" in (await etcdctl("put", "a", "2", *alice)).err
    async with served(folder) as etcdctl:  # users stay; without the flag certificates are nobody's
        assert "user name is empty" in (await etcdctl("get", "a", *root)).err


async def test_a_signed_token_is_good_until_users_change(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "jwt.key").write_bytes(pem)
    how = f"jwt,sign-method=ES256,priv-key={folder / 'jwt.key'},ttl=10m"
    cert = as_user(folder, "alice")
    async with served(folder, auth_token=how) as etcdctl:
        await etcdctl("user", "add", "root:secret", *cert)
        assert (await etcdctl("auth", "enable", *cert)).code == 0
        me = ("--user=root:secret", *cert)
        assert (await etcdctl("put", "a", "1", *me)).out == "OK\n"
        assert (await etcdctl("user", "add", "bob:builder", *me)).code == 0
        assert (await etcdctl("get", "a", "--print-value-only", *me)).out == "1\n"
