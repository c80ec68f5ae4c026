"""HPACK: the RFC's own examples, and what hostile blocks lead to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.store.serve import huffman
from appliance.store.serve.hpack import Decoder, HeadersTooLarge, HpackError, encode, literal

FIRST = (
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":path", b"/"),
    (b":authority", b"www.example.com"),
)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865"),
        ("828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf"),
    ],
    ids=["C.3 plain", "C.4 Huffman"],
)
def test_the_requests_of_the_rfc(first: str, second: str) -> None:
    decoder = Decoder()
    assert decoder.decode(bytes.fromhex(first)) == FIRST
    # the second block points at what the first one put into the table
    assert decoder.decode(bytes.fromhex(second)) == (*FIRST, (b"cache-control", b"no-cache"))


def test_a_block_is_remembered_only_while_the_table_stays() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x011")  # a: 1 enters the table
    newest = b"\xbe"
    assert decoder.decode(newest) == ((b"a", b"1"),)
    assert decoder.decode(newest) == ((b"a", b"1"),)
    decoder.decode(b"\x40\x01b\x012")
    assert decoder.decode(newest) == ((b"b", b"2"),)


def test_the_table_forgets_the_oldest_and_obeys_its_size() -> None:
    decoder = Decoder()
    decoder.decode(b"\x40\x01a\x7f\x81\x0f" + b"x" * 2048)
    decoder.decode(b"\x40\x01b\x7f\x81\x0f" + b"y" * 2048)  # more than 4096 together
    with pytest.raises(HpackError, match="no entry 63"):
        decoder.decode(b"\xbf")
    decoder.decode(b"\x20")  # size 0
    with pytest.raises(HpackError, match="no entry 62"):
        decoder.decode(b"\xbe")


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (b"\x80", "no entry 0"),
        (b"\xff\xff\xff\xff\xff\xff\x0f", "too large"),
        (b"\x00\x05ab", "cut short"),
        (b"\x00", "cut short"),
        (b"\x3f\xff\xff\x03", "may not be that large"),
        (b"\x82\x20", "after headers"),
        (b"\x00\x01a\x84\xff\xff\xff\xff", "end symbol"),
        (b"\x00\x01a\x81\x00", "padding"),
    ],
    ids=["index 0", "number", "short", "empty", "size", "late size", "eos", "padding"],
)
def test_malformed_blocks_are_refused(block: bytes, why: str) -> None:
    with pytest.raises(HpackError, match=why):
        Decoder().decode(block)


def test_a_small_block_cannot_grow_without_bound() -> None:
    decoder = Decoder(max_bytes=16 << 10)
    decoder.decode(b"\x40\x01a\x7f\x81\x0f" + b"x" * 2048)
    with pytest.raises(HeadersTooLarge):
        decoder.decode(b"\xbe" * 9)


@given(st.binary(max_size=100))
def test_huffman_reads_what_it_writes(text: bytes) -> None:
    assert huffman.decode(huffman.encode(text)) == text


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=200), st.binary(max_size=200))))
def test_what_we_send_can_be_read(headers: list[tuple[bytes, bytes]]) -> None:
    assert Decoder(1 << 20).decode(encode(headers)) == tuple(headers)
    assert encode(headers[:1]) == b"".join(literal(*header) for header in headers[:1])


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_a_block_or_refused(blocks: list[bytes]) -> None:
    decoder = Decoder()
    try:
        for block in blocks:
            decoder.decode(block)
    except HpackError:
        return
