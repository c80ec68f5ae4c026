"""Rules of the house that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    p for p in (ROOT / "appliance").rglob("*.py") if "store/serve/pb/" not in p.as_posix()
)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_is_one_room_with_a_sign_on_the_door(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, "split it by noun: which type and its functions move out?"
    assert ast.get_docstring(ast.parse(text)), "say what it is for, who calls it, what bounds it"
