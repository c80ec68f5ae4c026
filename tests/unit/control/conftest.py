"""The fixture of a control plane in memory."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.control.cluster import Cluster, cluster


@pytest.fixture
async def plane() -> AsyncIterator[Cluster]:
    async with cluster() as made:
        yield made
