"""Which answers are packed."""

import gzip
from typing import Any

import pytest

from appliance.control.http import packing

FAR: dict[str, Any] = {"method": "GET", "client": ("192.0.2.1", 5)}


@pytest.mark.parametrize(
    ("scope", "accepted", "size", "packed"),
    [
        (FAR, "gzip", packing.LEAST_BYTES, True),
        (FAR, "deflate, gzip;q=0.5", packing.LEAST_BYTES, True),
        (FAR, "gzip;q=0", packing.LEAST_BYTES, False),
        (FAR, "identity", packing.LEAST_BYTES, False),
        (FAR, "gzip", packing.LEAST_BYTES - 1, False),
        (FAR | {"method": "DELETE"}, "gzip", packing.LEAST_BYTES, False),
        (FAR | {"client": ("127.0.0.1", 5)}, "gzip", packing.LEAST_BYTES, False),
        (FAR | {"client": None}, "gzip", packing.LEAST_BYTES, True),
    ],
)
def test_large_answers_to_others_hosts(
    scope: dict[str, Any], accepted: str, size: int, *, packed: bool
) -> None:
    assert packing.is_worthwhile(scope, accepted, size) is packed


async def test_what_is_packed_is_the_same() -> None:
    body = b'{"kind":"PodList"}' * 20_000
    packed = await packing.pack(body)
    assert gzip.decompress(packed) == body
    assert len(packed) < len(body) / 10
