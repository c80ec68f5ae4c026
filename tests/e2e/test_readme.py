"""README's tour, run as it stands there, in a clone of this checkout with ports of its own."""

import hashlib
import os
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.cluster import free_port
from tests.readme import README, ROOT, blocks

SETUP = ("pyproject.toml", "poetry.lock", "scripts/setup", "scripts/poetry")
pytestmark = pytest.mark.slow


class Clone:
    """A user's clone, whose Python environment is lent by the one that runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        second, third = 64 + secrets.randbelow(32), 96 + secrets.randbelow(32)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("APPLIANCE_")} | {
            "DATA_DIR": str(self.data),
            "PORT": str(free_port()),
            "APPLIANCE_DATA_DIR": str(self.data),
            "APPLIANCE_KUBELET_PORT": str(free_port()),
            "APPLIANCE_ETCD_LISTEN_CLIENT_URLS": f"http://127.0.0.1:{free_port()}",
            "APPLIANCE_CLUSTER_CIDR": f"10.{second}.0.0/16",
            "APPLIANCE_SERVICE_CIDR": f"10.{third}.0.0/16",
            "APPLIANCE_NODE_NAME": f"readme-{secrets.token_hex(3)}",
        }
        self.env["APPLIANCE_HTTPS_LISTEN_PORT"] = self.env["PORT"]

    def run(self, line: str, *, within_s: float = 200) -> str:
        """Run a line by a shell, as a user does; it must succeed."""
        done = subprocess.run(
            ["sh", "-c", line], cwd=self.folder, env=self.env, capture_output=True, text=True,
            timeout=within_s,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def first_line(self, line: str) -> str:
        """Run something that goes on for ever until it has said something."""
        with subprocess.Popen(
            shlex.split(line), cwd=self.folder, env=self.env, stdout=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            said = running.stdout.readline()
            running.kill()
        return said


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    environment = ROOT / ".venv"
    if not environment.exists():
        environment = Path(sys.prefix)
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in SETUP)).hexdigest()
    stamp = environment / ".ready"
    if not stamp.exists() or stamp.read_text().strip() != wanted:
        pytest.skip("the Python environment is not what `make setup` makes; run it first")
    folder = tmp_path / "appliance"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to(environment)
    made = Clone(folder)
    yield made
    made.run("make down")


@pytest.mark.docker
def test_the_minutes_tour(clone: Clone) -> None:
    first, tour = blocks(README.read_text())[:2]
    assert first == ["make up"]
    said = clone.run("make up RUNTIME=docker")
    page = re.search(r"guestbook: +(http://\S+)", said)
    assert page, said
    for line in tour:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            clone.env[name] = value.replace("/var/lib/appliance", str(clone.data))
        elif line.endswith(" -w"):
            assert clone.first_line(line).startswith("NAME")
        else:
            assert clone.run(line)
    assert clone.run(".venv/bin/appliance token create").startswith("K10")
    server = f"https://127.0.0.1:{clone.env['PORT']}"
    assert "our clock is within" in clone.run(f".venv/bin/appliance check --server {server}")
    assert clone.run("make up RUNTIME=docker"), "a second time it finds everything there"
