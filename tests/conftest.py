"""What all tests share."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings

from tests.seed_rows import table

# A busy machine is no fault of the code: time limits of single examples say nothing here.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

# pytest-asyncio asks for "the current loop" before it makes its own. Where none was ever set,
# asyncio makes one that nobody closes, and its ResourceWarning fails whichever test runs when it is
# collected. Setting none makes asyncio say so instead, which pytest-asyncio understands.
asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def own_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test makes of the log is gone for the next; no logger remembers it for good."""
    configure = structlog.configure

    def forgetful(**given: Any) -> None:
        configure(**{**given, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", forgetful)
    yield
    structlog.reset_defaults()


_OUTCOMES: dict[str, list[tuple[str, str]]] = {}
"""Row → (test, what came of it); for `--promises FILE`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", type=Path, help="write a table: row, promise, test, outcome")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report = yield
    if report.when == "call" or report.outcome != "passed":
        for mark in item.iter_markers("seed"):
            for row in mark.args:
                _OUTCOMES.setdefault(row, []).append((item.nodeid, report.outcome))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (file := session.config.getoption("--promises")) is not None:
        file.write_text(table(_OUTCOMES))
