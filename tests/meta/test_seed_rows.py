"""Marks name rows that exist."""

from tests.seed_rows import by_row, rows


def test_every_mark_names_a_row_of_the_page() -> None:
    assert len(rows()) == 159
    assert set(by_row()) - set(rows()) == set()
