"""What we hand out: a wheel that works by itself, and a source archive that builds it."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import appliance

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_wheel_gives_a_fresh_environment_the_command(
    wheel: Path, tmp_path: Path, lend: Callable[[Path], None]
) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps"]
    subprocess.run([*pip, "-q", wheel], check=True, timeout=120)
    lend(tmp_path / "venv")
    where = subprocess.run(
        [python, "-c", "import appliance; print(appliance.__file__)"],
        check=True,
        timeout=60,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    assert where.startswith(str(tmp_path))
    command = [tmp_path / "venv/bin/appliance"]
    for verb in (["--version"], ["server", "--help"], ["join", "--help"]):
        done = subprocess.run([*command, *verb], timeout=60, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        if verb == ["--version"]:
            assert done.stdout.strip() == f"appliance, version {appliance.__version__}"


def test_metadata_says_what_it_is_and_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("dist-info/METADATA"))
        told = message_from_bytes(archive.read(name))
        names = archive.namelist()
    assert told["Version"] == appliance.__version__
    assert told["License-Expression"] == "Apache-2.0"
    assert told["Description-Content-Type"] == "text/markdown"
    assert "# appliance" in told.get_payload()
    assert any(n.endswith("licenses/LICENSE") for n in names)
    for text in told.get_all("Requires-Dist", []):
        need = Requirement(text)
        assert need.specifier.contains(metadata.version(need.name)), f"{text} is not what we test"


def test_nothing_but_the_package_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"appliance", f"appliance-{appliance.__version__}.dist-info"}


def test_the_source_archive_holds_what_a_build_needs(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "appliance/cli/main.py"} <= names
