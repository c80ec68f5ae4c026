"""Marks name rows that exist."""

from tests.seed_rows import by_row, promises, rows, table


def test_every_mark_names_a_row_of_the_page() -> None:
    assert len(rows()) == 159
    assert set(by_row()) - set(rows()) == set()


def test_every_starred_row_has_a_test() -> None:
    have = by_row()
    assert [row for row, must in rows().items() if must and row not in have] == []


def test_the_table_shows_the_worst_that_came_of_a_row() -> None:
    assert set(promises()) == set(rows())
    seen = {
        "P01": [("a.py::test_x[docker]", "passed"), ("a.py::test_x[podman]", "failed")],
        "P02": [("a.py::test_y", "passed"), ("b.py::test_z", "skipped")],
    }
    lines = {line.split()[1]: line for line in table(seen).splitlines()[2:]}
    assert lines["P01"].endswith("| test_x | failed |")
    assert lines["P02"].endswith("| test_y; test_z | passed (some skipped) |")
    assert lines["P03"].endswith("| - | not run |")
