"""What a host says on its screens and in status.txt."""

from pathlib import Path

import pytest

from appliance.cli.join import EXIT_CODES
from appliance.host.console import ENDINGS, State, ending, page, tell
from appliance.host.firstboot import main


def test_a_running_node_says_who_and_where() -> None:
    state = State("runs", role="agent", name="pi-2", server="https://pi-1:6443", address="10.0.0.7")
    assert page(state) == (
        "appliance: agent pi-2 is running\n  address: 10.0.0.7\n  server: https://pi-1:6443\n"
    )


def test_faults_are_listed_with_what_happens_meanwhile() -> None:
    text = page(State("faulty", role="agent", name="pi-2", faults=("role: bad", "token: bad")))
    assert text.splitlines() == [
        "appliance: appliance.yaml has 2 faults",
        "  - role: bad",
        "  - token: bad",
        "  Correct the file on the boot partition and start the host again.",
        "  Until then it goes on as agent with the earlier configuration.",
    ]


@pytest.mark.parametrize(
    ("result", "status", "said"),
    [
        ("success", "0", ""),
        ("exit-code", "4", "the token has expired"),
        ("signal", "KILL", "signal KILL; see journalctl"),
    ],
)
def test_an_ending_says_why(result: str, status: str, said: str) -> None:
    assert ending(result, status).startswith(said)
    assert bool(ending(result, status)) == bool(said)


def test_every_exit_code_of_a_join_has_a_sentence() -> None:
    assert {str(code) for code in EXIT_CODES.values()} <= set(ENDINGS)


def test_only_news_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, path = tmp_path / "tty0", tmp_path / "status.txt"
    monkeypatch.setattr("appliance.host.console._screens", lambda: [screen])
    state = State("runs", role="server", name="pi-1")
    tell(state, tmp_path)
    assert path.read_bytes() == b"appliance: server pi-1 is running\r\n"
    assert screen.read_bytes() == b"\r\nappliance: server pi-1 is running\r\n"
    first = path.stat().st_ino
    screen.unlink()
    tell(state, tmp_path)
    assert path.stat().st_ino == first
    assert not screen.exists()
    tell(State("ended", role="server", name="pi-1"), tmp_path)
    assert path.read_bytes() == b"appliance: server pi-1 has stopped\r\n"
    assert screen.exists()
    screen.unlink()
    tell(State("ended", role="server", name="pi-1"), tmp_path, always=True)
    assert screen.exists()


def test_a_card_that_can_not_be_written_keeps_nobody_from_reading_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = tmp_path / "tty0"
    monkeypatch.setattr("appliance.host.console._screens", lambda: [screen])
    (tmp_path / "file").touch()
    tell(State("runs", role="server", name="pi-1"), tmp_path / "file")
    assert b"is running" in screen.read_bytes()


def test_the_command_writes_the_status_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.host.console._screens", list)
    (tmp_path / "appliance.yaml").write_text("role: agent")
    assert main(["--boot", str(tmp_path), "--root", str(tmp_path / "root")]) == 1
    said = (tmp_path / "status.txt").read_text()
    assert "has 2 faults" in said
    assert "server: an agent needs one" in said
