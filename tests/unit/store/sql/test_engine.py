"""The settings that durability and the size of the file rest on, as SQLite reports them."""

import sqlite3
from pathlib import Path

import pytest

from appliance.store.errors import Unusable
from appliance.store.sql import engine, tables
from appliance.store.sql.engine import APPLICATION_ID, SCHEMA_VERSION, Database

EXPECTED = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: the log is fsynced at each commit
    "auto_vacuum": 2,  # incremental
    "journal_size_limit": -1,  # the log is never cut
    "application_id": APPLICATION_ID,
    "user_version": SCHEMA_VERSION,
}


def test_settings_of_a_new_and_of_an_opened_file(tmp_path: Path) -> None:
    for _ in range(2):
        database = Database(tmp_path / "state.db")
        for name, value in EXPECTED.items():
            found = database.writer.execute(f"PRAGMA {name}").fetchone()[0]
            assert found == value, name
        database.close()


def test_an_append_touches_one_table_and_no_index(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    indexes = database.writer.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'history'"
    )
    assert indexes.fetchall() == []
    plan = database.writer.execute("EXPLAIN QUERY PLAN " + tables.SELECT_ROW, (1,)).fetchall()
    assert "INTEGER PRIMARY KEY" in plan[0][3]
    window = database.writer.execute(
        "EXPLAIN QUERY PLAN " + tables.SELECT_WINDOW_RANGE, (1, 2, b"", b"")
    ).fetchall()
    assert "INTEGER PRIMARY KEY" in window[0][3]
    assert len(window) == 1, "no sort: the rows are in order"
    database.close()


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unusable, match=r"file/state\.db.*needs a directory"):
        Database(tmp_path / "file" / "state.db")


def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    Database(path).close()
    with sqlite3.connect(path) as file:
        file.executescript("DROP TABLE note; DROP TABLE superseded; PRAGMA user_version = 1")
        row = (2 << tables.SUB_SHIFT, b"a", 2, 1, 0, 0, 0, "", b"value")
        file.execute(tables.INSERT_ROW, row)
    file.close()
    for _ in range(2):
        database = Database(path)
        assert database.reader.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert database.reader.execute(tables.SELECT_NOTES, ("x",)).fetchall() == []
        assert database.reader.execute("SELECT key, value FROM history").fetchall() == [
            (b"a", b"value")
        ]
        database.close()


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    Database(path).close()
    with sqlite3.connect(path) as file:
        file.executescript("DROP TABLE note; PRAGMA user_version = 1")
    file.close()
    good = engine.MIGRATIONS[1]
    monkeypatch.setitem(engine.MIGRATIONS, 1, (*good, "nonsense"))
    with pytest.raises(Unusable):
        Database(path)
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (1,)
        assert not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'note'").fetchall()
    file.close()


def test_a_file_from_the_future_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    Database(path).close()
    with sqlite3.connect(path) as file:
        file.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    file.close()
    with pytest.raises(Unusable, match="newer release"):
        Database(path)
