"""What is said of downgrades."""

import pytest

from appliance.store.serve.messages import maintenance as pb
from tests.unit.store.serve.conftest import Client

PATH = "/etcdserverpb.Maintenance/Downgrade"


@pytest.mark.parametrize(
    ("action", "version", "code", "text"),
    [
        (0, "", 3, "etcdserver: wrong downgrade target version format"),
        (0, "old", 3, "etcdserver: wrong downgrade target version format"),
        (0, "3.4", 3, "etcdserver: invalid downgrade target version"),
        (1, "3.6.0", 3, "etcdserver: invalid downgrade target version"),
        (1, "3.5", 9, "etcdserver: not capable"),
        (2, "", 9, "etcdserver: no inflight downgrade job"),
    ],
)
async def test_refusals(client: Client, action: int, version: str, code: int, text: str) -> None:
    request = pb.DowngradeRequest(action=action, version=version)
    assert await client.refused(PATH, request) == (code, text)


async def test_the_next_lower_version_would_be_one(client: Client) -> None:
    request = pb.DowngradeRequest(version="3.5.0")
    assert (await client.call(PATH, request, pb.DowngradeResponse)).version == "3.6.0"
