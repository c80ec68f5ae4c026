"""appliance check: the report in its forms, and what its exit code says."""

import json

import pytest
import yaml
from click.testing import CliRunner

from appliance.cli import check as verb
from appliance.config.schema import Config
from appliance.host.checks.base import Finding, Level

GOOD = Finding(check="clock", level=Level.OK, finding="the clock is set")
BAD = Finding(check="disk", level=Level.FAIL, finding="full", why="no room", remedy="free some")
ODD = Finding(check="mtu", level=Level.WARN, finding="odd", why="slow", remedy="change it")


def run(monkeypatch: pytest.MonkeyPatch, found: list[Finding], *args: str) -> tuple[int, str]:
    async def told(_config: Config, *, server: str) -> list[Finding]:
        assert server == ""
        return found

    monkeypatch.setattr(verb, "check", told)
    done = CliRunner().invoke(verb.command, list(args))
    return done.exit_code, done.output


def test_what_is_wrong_comes_with_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run(monkeypatch, [GOOD, BAD])
    assert code == 1
    assert text.splitlines() == [
        "OK       clock: the clock is set",
        "FAIL     disk: full",
        "         why: no room",
        "         do: free some",
    ]


def test_warnings_do_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, [GOOD, ODD])[0] == 0


def test_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {
        "check": "disk", "level": "fail", "finding": "full", "why": "no room", "remedy": "free some"
    }  # fmt: skip
    code, text = run(monkeypatch, [BAD], "-o", "json")
    assert (code, json.loads(text)) == (1, {"findings": [wanted]})
    assert yaml.safe_load(run(monkeypatch, [BAD], "-o", "yaml")[1]) == {"findings": [wanted]}


def test_wrong_usage() -> None:
    assert CliRunner().invoke(verb.command, ["-o", "xml"]).exit_code == 2
