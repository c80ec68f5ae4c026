"""The bbolt file, read back by its own rules."""

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.store.serve.boltfile import PAGE, BoltFile

Items = list[tuple[bytes, bytes]]


def read_pages(data: bytes, number: int) -> Items:
    """Keys and values below a page, in order."""
    place = number * PAGE
    own, kind, count, overflow = struct.unpack_from("<QHHI", data, place)
    assert own == number
    assert place + (overflow + 1) * PAGE <= len(data)
    found: Items = []
    for index in range(count):
        at = place + 16 + 16 * index
        if kind == 1:
            pos, size, child = struct.unpack_from("<IIQ", data, at)
            below = read_pages(data, child)
            assert below[0][0] == data[at + pos : at + pos + size]
            found += below
        else:
            _, pos, size, value_size = struct.unpack_from("<IIII", data, at)
            key_end = at + pos + size
            found.append((data[at + pos : key_end], data[key_end : key_end + value_size]))
    return found


def read(data: bytes) -> dict[bytes, Items]:
    """All buckets of a file."""
    magic, version, page_size = struct.unpack_from("<III", data, PAGE + 16)
    assert (magic, version, page_size) == (0xED0CDAED, 2, PAGE)
    root, _, free, pages, _ = struct.unpack_from("<QQQQQ", data, PAGE + 32)
    assert (free, pages * PAGE) == (2, len(data))
    buckets = {}
    for name, value in read_pages(data, root):
        (bucket_root,) = struct.unpack_from("<Q", value)
        buckets[name] = read_pages(data, bucket_root) if bucket_root else []
    return buckets


def write(buckets: dict[bytes, Items]) -> bytes:
    out = io.BytesIO()
    file = BoltFile(out)
    for name, items in buckets.items():
        bucket = file.bucket(name)
        for key, value in items:
            bucket.add(key, value)
        bucket.end()
    file.finish()
    return out.getvalue()


@pytest.mark.parametrize(
    "items",
    [
        [],
        [(b"k", b"")],
        [(b"%05d" % n, b"v" * (n % 90)) for n in range(9000)],  # two levels of branches
        [(b"a", b"x" * 20_000), (b"b", b""), (b"c", b"y" * PAGE)],
        [(b"%d" % n * 1500, b"") for n in range(1, 10)],  # keys that fill pages
    ],
    ids=["empty", "one", "many", "large values", "large keys"],
)
def test_what_is_written_is_found(items: Items) -> None:
    buckets = {b"other": [(b"o", b"1")], b"key": items, b"last": []}
    assert read(write(buckets)) == buckets


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.binary(min_size=1, max_size=2000), st.binary(max_size=3000), max_size=30))
def test_anything_is_found(items: dict[bytes, bytes]) -> None:
    in_order = sorted(items.items())
    assert read(write({b"key": in_order})) == {b"key": in_order}
