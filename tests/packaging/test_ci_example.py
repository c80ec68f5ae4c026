"""The sample project of examples/ci, with our wheel alone, in a fresh environment, on an engine."""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import docker.errors
import pytest

from appliance.node.runtimes.detect import default_endpoint
from appliance.testing.leftovers import OWNER, orphaned
from tests.packaging.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(400)]

# The lent environment brings a pytest plugin that wants to be told something.
OPTIONS = (
    "-W",
    "error",
    "-o",
    "asyncio_default_fixture_loop_scope=function",
    "-p",
    "no:cacheprovider",
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[docker.DockerClient]:
    try:
        client = docker.DockerClient(base_url=default_endpoint("docker"))
        client.ping()
    except docker.errors.DockerException as absent:
        pytest.skip(f"no Docker: {absent}")
    yield client
    for image in client.images.list(filters={"label": f"appliance.made-in={tmp_path / 'venv'}"}):
        client.images.remove(image.id, force=True)
    client.close()


def test_the_sample_project_runs_its_test_on_a_cluster_of_its_own(
    engine: docker.DockerClient, wheel: Path, tmp_path: Path, lend: Callable[[Path], None]
) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps"]
    subprocess.run([*pip, "-q", wheel], check=True, timeout=120)
    lend(tmp_path / "venv")
    shutil.copytree(ROOT / "examples/ci", tmp_path / "ci")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("APPLIANCE_", "PYTEST"))}
    done = subprocess.run(
        [python, "-m", "pytest", "-s", "-q", *OPTIONS],
        cwd=tmp_path / "ci",
        env={**env, "DOCKER_HOST": default_endpoint("docker")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    told = re.search(r"^\.?image .* pods answering .* s", done.stdout, re.MULTILINE)
    assert told, done.stdout
    print(told[0])
    mine = {"label": OWNER}
    assert not [
        c for c in engine.containers.list(all=True, filters=mine) if orphaned(c.labels[OWNER])
    ]
