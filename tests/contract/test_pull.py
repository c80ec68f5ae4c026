"""Pulls by real engines from a registry that runs here."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from appliance.api.kinds.core.secret import Secret
from appliance.node.images.credentials import Login, keyring
from appliance.node.images.names import reference
from appliance.node.images.pull import Puller
from appliance.node.runtimes.base import NotThere, PullFailed, Runtime
from tests.contract.engines import SLEEPER, archive, open_engine
from tests.lab.registry import Registry

pytestmark = pytest.mark.asyncio(loop_scope="module")
WORD = secrets.token_hex(8)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=pytest.mark.podman),
    ],
)
async def runtime(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    async with open_engine(request.param) as engine:
        yield engine.runtime


@pytest.fixture
def path() -> str:
    """A name of this test's own, so that nothing is here already."""
    return f"pulls/p{secrets.token_hex(6)}"


@pytest.fixture
def insecure(tmp_path: Path) -> Path:
    """registries.yaml for a registry without TLS (Podman asks for it, Docker knows 127.0.0.1)."""
    return tmp_path / "registries.yaml"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Registry]:
    with Registry(("ann", WORD)) as made:
        yield made


def skip_tls(
    file: Path, *registries: Registry, more: str = "", login: Registry | None = None
) -> None:
    lines = [f'  "{r.host}": {{tls: {{insecure_skip_verify: true}}}}' for r in registries]
    if login is not None:
        lines.append(f'  "{login.host}": {{auth: {{username: bob, password: {WORD}}}}}')
    file.write_text("\n".join([more, "configs:", *lines]))


async def forget(runtime: Runtime, name: str) -> None:
    with contextlib.suppress(NotThere):
        await runtime.remove_image(name)


async def test_a_login_opens_what_is_shut(
    runtime: Runtime, guarded: Registry, path: str, insecure: Path
) -> None:
    guarded.add(path, "1", archive(SLEEPER))
    name = f"{guarded.host}/{path}:1"
    skip_tls(insecure, guarded)
    puller = Puller(runtime, insecure)
    with pytest.raises(PullFailed) as caught:
        await puller.pull(name, reference(name), ())
    assert WORD not in str(caught.value)
    wrong = f'{{"auths": {{"{guarded.host}": {{"username": "ann", "password": "no"}}}}}}'
    right = wrong.replace('"no"', f'"{WORD}"').replace(guarded.host, f"http://{guarded.host}/v2/")
    given = [Secret(data={".dockerconfigjson": t.encode()}) for t in (wrong, right)]
    try:
        image = await puller.pull(name, reference(name), keyring(given))
        assert name in image.names
    finally:
        await forget(runtime, name)


async def test_a_digest_is_pulled(
    runtime: Runtime, guarded: Registry, path: str, insecure: Path
) -> None:
    digest = guarded.add(path, "1", archive(SLEEPER))
    name = f"{guarded.host}/{path}@{digest}"
    skip_tls(insecure, guarded)
    body = f'{{"{guarded.host}": {{"username": "ann", "password": "{WORD}"}}}}'
    ring = keyring([Secret(data={".dockercfg": body.encode()})])
    try:
        image = await Puller(runtime, insecure).pull(name, reference(name), ring)
        assert any(one.endswith(digest) for one in image.digests)
        assert await runtime.image(name) is not None
    finally:
        await forget(runtime, name)


async def test_a_mirror_stands_in_for_a_registry_that_is_not_there(
    runtime: Runtime, path: str, insecure: Path
) -> None:
    name = f"registry.invalid/{path}:2"
    with Registry(("bob", WORD)) as mirror, Registry() as empty:
        mirror.add(f"stock/{path}", "2", archive(SLEEPER))
        mirrors = (
            "mirrors:\n"
            "  registry.invalid:\n"
            f"    endpoint: ['http://{empty.host}', 'http://{mirror.host}']\n"
            "    rewrite: {'^pulls/(.*)': 'stock/pulls/$1'}\n"
        )
        skip_tls(insecure, more=mirrors, login=mirror)
        try:
            image = await Puller(runtime, insecure).pull(name, reference(name), ())
            assert name in image.names
            assert not any(mirror.host in one for one in image.names)
        finally:
            await forget(runtime, name)


async def test_what_is_not_there_is_told_without_the_login(
    runtime: Runtime, guarded: Registry, path: str, insecure: Path
) -> None:
    name = f"{guarded.host}/{path}:none"
    skip_tls(insecure, guarded)
    login = Login("ann", WORD)
    assert WORD not in repr(login)
    body = f'{{"{guarded.host}": {{"username": "ann", "password": "{WORD}"}}}}'
    ring = keyring([Secret(data={".dockercfg": body.encode()})])
    with pytest.raises(PullFailed, match=r"(?i)unknown|not found") as caught:
        await Puller(runtime, insecure).pull(name, reference(name), ring)
    assert WORD not in str(caught.value)
