"""install.sh into a folder, with and without a systemd (a recorder that stands in its place)."""

import os
import subprocess
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from appliance.config.load import load
from tests.packaging.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# What pip does here is pip's affair: nothing may be fetched, so what the wheel needs is lent.
_PIP = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}


@dataclass
class Installer:
    """Runs install.sh into one folder."""

    home: Path
    wheel: Path
    lend: Callable[[Path], None]

    def make_venv(self) -> None:
        """What the script would make, but with a pip that is lent, too: making one takes 5 s."""
        venv.create(self.home / "opt/venv", with_pip=False)
        self.lend(self.home / "opt/venv")

    def run(self, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("APPLIANCE_", "INSTALL_"))}
        env |= {
            "APPLIANCE_WHEEL": str(self.wheel),
            "INSTALL_APPLIANCE_DIR": str(self.home / "opt"),
            "INSTALL_APPLIANCE_BIN_DIR": str(self.home / "bin"),
            "INSTALL_APPLIANCE_CONFIG_DIR": str(self.home / "etc"),
            "INSTALL_APPLIANCE_SYSTEMD_DIR": str(self.home / "units"),
            "INSTALL_APPLIANCE_SYSTEMD": "no",
            "INSTALL_APPLIANCE_SKIP_ENGINE": "true",
            "PATH": f"{self.home / 'fake'}:{os.environ['PATH']}",
            **_PIP,
            **environ,
        }
        return subprocess.run(
            ["sh", ROOT / "install.sh"], env=env, timeout=200, capture_output=True, text=True
        )

    def systemctl(self) -> list[str]:
        calls = self.home / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def installer(tmp_path: Path, wheel: Path, lend: Callable[[Path], None]) -> Installer:
    (tmp_path / "fake").mkdir()
    recorder = tmp_path / "fake/systemctl"
    recorder.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path / "calls"}\n')
    recorder.chmod(0o755)
    return Installer(tmp_path, wheel, lend)


def test_a_server_is_installed_started_left_alone_and_removed(installer: Installer) -> None:
    home = installer.home
    installer.make_venv()
    done = installer.run(
        INSTALL_APPLIANCE_SYSTEMD="yes",
        INSTALL_APPLIANCE_EXEC='--log-format json --node-label say="hi"',
        APPLIANCE_RUNTIME="podman",
        APPLIANCE_DATA_DIR=str(home / "data"),
    )
    assert done.returncode == 0, done.stderr
    assert "done: appliance, version" in done.stdout
    unit = (home / "units/appliance.service").read_text()
    start = f"{home}/bin/appliance server --config {home}/etc/config.yaml $APPLIANCE_ARGS"
    assert f"\nExecStart={start}\n" in unit
    assert "\nType=notify\n" in unit
    assert installer.systemctl() == [
        "daemon-reload",
        "enable -q appliance.service",
        "restart appliance.service",
    ]
    args = (home / "etc/appliance.env").read_text()
    assert args == 'APPLIANCE_ARGS="--log-format json --node-label say=\\"hi\\""\n'
    config = load("server", {}, environ={}, file=str(home / "etc/config.yaml"))
    assert config.runtime == "podman"

    again = installer.run(
        INSTALL_APPLIANCE_SYSTEMD="yes",
        INSTALL_APPLIANCE_EXEC='--log-format json --node-label say="hi"',
    )
    assert again.returncode == 0, again.stderr
    assert installer.systemctl()[3:] == [
        "daemon-reload",
        "enable -q appliance.service",
        "start appliance.service",
    ]

    env = {**os.environ, "PATH": f"{home / 'fake'}:{os.environ['PATH']}"}
    gone = subprocess.run([home / "bin/appliance-uninstall"], env=env, timeout=60)
    assert gone.returncode == 0
    assert installer.systemctl()[6:] == ["disable --now appliance.service", "daemon-reload"]
    left = {p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file()}
    assert left == {"calls", "fake/systemctl", "etc/config.yaml"}


def test_a_url_makes_it_an_agent_whose_token_only_root_reads(installer: Installer) -> None:
    home = installer.home
    installer.make_venv()
    done = installer.run(APPLIANCE_URL="https://pi-1:6443", APPLIANCE_TOKEN="K10aa::x.y'z")
    assert done.returncode == 0, done.stderr
    assert f"start it with: {home}/bin/appliance agent" in done.stdout
    assert installer.systemctl() == []
    kept = home / "etc/config.yaml.d/50-install.yaml"
    assert yaml.safe_load(kept.read_text()) == {
        "server": "https://pi-1:6443",
        "token": "K10aa::x.y'z",
    }
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_it_can_not_do_it_says_before_it_does_anything(installer: Installer) -> None:
    no_token = installer.run(APPLIANCE_URL="https://pi-1:6443")
    assert no_token.returncode == 1
    assert "appliance token create" in no_token.stderr
    no_wheel = installer.run(APPLIANCE_WHEEL="/nowhere.whl")
    assert no_wheel.returncode == 1
    assert "there is no wheel /nowhere.whl" in no_wheel.stderr
    (installer.home / "units").mkdir()
    (installer.home / "units/appliance-agent.service").touch()
    other_role = installer.run()
    assert other_role.returncode == 1
    assert "run appliance-uninstall first" in other_role.stderr
    assert not (installer.home / "opt").exists()
