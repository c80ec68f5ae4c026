"""Which promises of `docs/promises.md` have tests: `python -m tests.seed_rows` prints the table.

`pytest --promises FILE` writes the same with what came of each test.

Marks are read from the sources, not by collecting: that takes no engines and a tenth of a second.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "promises.md"


def rows() -> dict[str, bool]:
    """Row id → whether it must hold."""
    found = re.findall(r"^\| ([A-Z]\d\d) \| (★?) +\|", PAGE.read_text(), re.MULTILINE)
    return {row: bool(star) for row, star in found}


def promises() -> dict[str, str]:
    """Row id → what is promised."""
    found = re.findall(r"^\| ([A-Z]\d\d) \| ★? +\| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    return dict(found)


def table(outcomes: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Markdown: row, promise, its tests by name, and passed only if none of them did otherwise."""
    lines = ["| row | promise | tests | outcome |", "|---|---|---|---|"]
    for row, words in promises().items():
        seen = outcomes.get(row, ())
        tests = "; ".join(sorted({_function(test) for test, _ in seen})) or "-"
        kinds = {outcome for _, outcome in seen}
        skipped = " (some skipped)" if "skipped" in kinds and "passed" in kinds else ""
        worst = next((kind for kind in ("failed", "passed", "skipped") if kind in kinds), "not run")
        lines.append(f"| {row} | {words} | {tests} | {worst}{skipped} |")
    return "\n".join([*lines, ""])


def _function(test: str) -> str:
    return test.rpartition("::")[2].partition("[")[0]


def marks(path: Path) -> Iterator[tuple[str, str]]:
    """(row id, test) of each mark in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.seed":
                for arg in mark.args:
                    yield str(ast.literal_eval(arg)), f"{path.relative_to(ROOT)}::{node.name}"


def by_row() -> dict[str, list[str]]:
    """Row id → its tests."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for row, test in marks(path):
            found.setdefault(row, []).append(test)
    return found


def main() -> None:
    have = by_row()
    for row, must in rows().items():
        tests = have.get(row, [])
        print(f"{row} {'★' if must else ' '} {'; '.join(tests) or '-'}")
    starred = [row for row, must in rows().items() if must]
    done = [row for row in starred if row in have]
    print(f"{len(done)} of {len(starred)} starred rows have tests; without: ", end="")
    print(" ".join(row for row in starred if row not in have) or "none")


if __name__ == "__main__":
    main()
