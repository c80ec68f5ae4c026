"""Rows of `docs/conformance.md` have tests, and marks name rows."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def rows() -> dict[int, str]:
    """Number → tier."""
    text = (ROOT / "docs" / "conformance.md").read_text()
    return {int(n): tier for n, tier in re.findall(r"^\| (\d+) \| (T\d) \|", text, re.MULTILINE)}


def marked() -> dict[int, list[str]]:
    """Number → its tests, read from the sources."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "mark.conformance" not in (text := path.read_text()):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith(
                    "mark.conformance"
                ):
                    for number in mark.args:
                        found.setdefault(int(ast.literal_eval(number)), []).append(node.name)
    return found


def test_every_row_of_the_first_two_tiers_has_a_test() -> None:
    have = marked()
    lacking = [n for n, tier in rows().items() if tier in {"T1", "T2"} and n not in have]
    assert lacking == [], f"conformance rows without a test: {lacking}"


def test_every_mark_names_a_row() -> None:
    assert len(rows()) == 173
    assert set(marked()) - set(rows()) == set()
