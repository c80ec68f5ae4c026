"""The flake, checked without a network against tests/nix/nixpkgs; and that the check can fail."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("nix"), reason="no nix on this host"),
]


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "scripts/nix-check", folder]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.fixture
def flake(tmp_path: Path) -> Path:
    """A copy to break."""
    for name in ("flake.nix", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "nix", tmp_path / "nix")
    (tmp_path / "appliance").mkdir()
    shutil.copy(ROOT / "appliance/__init__.py", tmp_path / "appliance")
    return tmp_path


def test_package_module_and_image_evaluate_and_the_checks_build() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stderr
    for built in ("package", "module-server", "module-agent", "module-faults"):
        name = {"package": "appliance-0"}.get(built, f"appliance-{built}")
        assert name in done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("nix/module.nix", "allowedTCPPorts =", "allowedTcpPorts =", "there is no option"),
        # Which of the two checks that see it comes first is not fixed.
        ("nix/module.nix", "cfg.role\n", '"serve"\n', "not so: it runs the"),
        ("nix/module.nix", "StateDirectory", "= StateDirectory", "syntax error"),
        ("pyproject.toml", '"click>=8.1"', '"klick>=8.1"', "klick"),
    ],
)
def test_a_mistake_is_found(flake: Path, file: str, old: str, new: str, said: str) -> None:
    text = (flake / file).read_text()
    assert old in text
    (flake / file).write_text(text.replace(old, new))
    done = check(flake)
    assert done.returncode != 0
    assert said in done.stderr
