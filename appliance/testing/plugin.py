"""The pytest plugin: the fixture `appliance_cluster`, one cluster for the whole run.

Its nodes are told by `--appliance-agents N`, its images by overriding the fixture
`appliance_images` in a conftest.py:

    @pytest.fixture(scope="session")
    def appliance_images():
        return ["shop:dev"]

Loaded by pytest wherever appliance is installed, so nothing is imported until the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from appliance.testing.cluster import ApplianceCluster
    from appliance.testing.node import Image

_AGENTS = "--appliance-agents"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our option."""
    group = parser.getgroup("appliance", "clusters in containers")
    group.addoption(_AGENTS, type=int, default=0, help="workers beside the server (default 0)")


@pytest.fixture(scope="session")
def appliance_images() -> Sequence[Image]:
    """Images that every node has before its first pod: names or archives; override it."""
    return ()


@pytest.fixture(scope="session")
def appliance_cluster(
    pytestconfig: pytest.Config, appliance_images: Sequence[Image]
) -> Iterator[ApplianceCluster]:
    """A running cluster, shared by all tests of the run."""
    from appliance.testing.cluster import ApplianceCluster

    agents = pytestconfig.getoption(_AGENTS)
    with ApplianceCluster(agents, images=appliance_images) as cluster:
        yield cluster
