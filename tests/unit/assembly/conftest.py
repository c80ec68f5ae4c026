"""A running master for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.assembly.master import Master, running_master


@pytest.fixture
async def master(tmp_path: Path) -> AsyncIterator[Master]:
    async with running_master(tmp_path) as made:
        yield made
