"""appliance rolling-update: what is wrong usage and what is failure."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli.rolling_update import command

ELSEWHERE = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["web"], "give one of --image, -f and --rollback"),
        (["web", "--image", "a", "--rollback"], "give one of"),
        (["web", "--image", "a", "--update-period", "soon"], "'soon' must be a duration"),
        ([], "Missing argument 'OLD'"),
    ],
)
def test_wrong_usage(args: list[str], why: str) -> None:
    done = CliRunner().invoke(command, args)
    assert (done.exit_code, why in done.output) == (2, True), done.output


def test_failures_say_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(ELSEWHERE)
    for args, why in (
        (["--kubeconfig", str(tmp_path / "none"), "--rollback"], "name one by --kubeconfig"),
        (["--kubeconfig", str(config), "-f", str(tmp_path / "none.yaml")], "can't be read"),
        (["--kubeconfig", str(config), "--rollback", "--timeout", "0s"], "no progress in 0 s"),
    ):
        done = CliRunner().invoke(command, ["web", *args])
        assert (done.exit_code, why in done.output) == (1, True), done.output
