"""The wheel, built once, and environments with nothing but it."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheel and sdist."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([ROOT / "scripts/dist", out], check=True, timeout=300, stdout=subprocess.PIPE)
    return out


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """The wheel."""
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture
def lend() -> Callable[[Path], None]:
    """Let an environment find our dependencies in this one, but not this checkout.

    The editable install is a .pth file, which Python reads only in site folders of its own.
    """

    def lend(venv: Path) -> None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = venv / "lib" / version / "site-packages"
        (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    return lend
