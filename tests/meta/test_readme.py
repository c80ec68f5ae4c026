"""What README tells can be done: commands are tested, verbs, flags and targets exist."""

import re
import shlex

import click
import pytest

from appliance.cli.main import main
from tests.readme import README, ROOT, ROWS, commands, exists, row_of

TEXT = README.read_text()
SPOKEN = re.findall(r"`((?:\.venv/bin/)?appliance [^`]+|make [a-z-]+[^`]*)`", TEXT)
ALL = sorted({*commands(TEXT), *SPOKEN})


def test_every_command_is_run_by_a_test() -> None:
    told = commands(TEXT)
    assert [line for line in told if row_of(line) is None] == []
    used = {row_of(line) for line in told} | {row_of(line) for line in SPOKEN}
    assert [row for row in ROWS if row not in used] == [], "README no longer says so"


@pytest.mark.parametrize("test", sorted(set(ROWS.values())))
def test_the_tests_are_there(test: str) -> None:
    assert exists(test)


@pytest.mark.parametrize(
    "line", [line for line in ALL if re.match(r"(\.venv/bin/)?appliance ", line)]
)
def test_verbs_and_flags_exist(line: str) -> None:
    words = shlex.split(line.removeprefix(".venv/bin/"))[1:]
    command: click.Command = main
    context = click.Context(main)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no `appliance {words[0]}`"
        command, words = found, words[1:]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    named = {word.split("=")[0] for word in words if word.startswith("-")}
    assert named - known - {"--help"} == set()


@pytest.mark.parametrize("line", [line for line in ALL if line.startswith("make ")])
def test_targets_exist(line: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    wanted = [word for word in line.split()[1:] if "=" not in word]
    assert wanted
    assert set(wanted) <= set(targets)
