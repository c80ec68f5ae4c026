"""One cluster per engine, shared by the tests of this folder; skipped where an engine is absent."""

import asyncio
from collections.abc import Iterator

import pytest

from appliance.kit.clock import SystemClock
from appliance.node.runtimes.base import Unreachable
from appliance.node.runtimes.detect import default_endpoint, open_runtime
from examples.guestbook.images.build import load_images
from tests.lab.cluster import Cluster, free_port
from tests.lab.manifests import ManifestWorld


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))


async def prepare(kind: str) -> str:
    """Load the images; "" or why there is no such engine."""
    try:
        runtime = await open_runtime(kind, "", SystemClock())
    except Unreachable as absent:
        return str(absent)
    await load_images(runtime)
    await runtime.close()
    return ""


@pytest.fixture(scope="session", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> str:
    """An engine that is here, with the guestbook's images."""
    kind = str(request.param)
    if why := asyncio.run(prepare(kind)):
        pytest.skip(why)
    return kind


@pytest.fixture(scope="session")
def manifests(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManifestWorld]:
    """Where the node of `cluster` looks for manifests."""
    made = ManifestWorld(tmp_path_factory.mktemp(engine))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def cluster(
    engine: str, manifests: ManifestWorld, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    port = free_port()
    made = Cluster(
        tmp_path_factory.mktemp(engine),
        engine,
        default_endpoint(engine),
        flags=[
            *manifests.flags,
            *("--ingress", "haproxy"),
            *("--ingress-http-port", str(port), "--ingress-https-port", str(free_port())),
        ],
    )
    made.ingress_port = port
    try:
        made.start()
        yield made
        made.stop()
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()
        if (made.data / "cluster-id").exists():
            made.reset()


@pytest.fixture(scope="module")
def own_cluster(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of this module's own: for tests that are about all of it."""
    made = Cluster(tmp_path_factory.mktemp(f"own-{engine}"), engine, default_endpoint(engine))
    try:
        made.start()
        made.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
        yield made
        made.stop()
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()
        if (made.data / "cluster-id").exists():
            made.reset()
