"""Every shell script passes shellcheck."""

import shutil
import subprocess

import pytest

from tests.packaging.conftest import ROOT

SCRIPTS = sorted(
    path
    for folder in (".", "scripts", "image", ".ci", "nix")
    for path in (ROOT / folder).glob("*")
    if path.is_file() and path.read_bytes().startswith((b"#!/bin/sh", b"#!/usr/bin/env bash"))
)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck on this host")
def test_shell_scripts_hold_no_traps() -> None:
    assert len(SCRIPTS) >= 8
    found = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True, timeout=100)
    assert found.returncode == 0, found.stdout
