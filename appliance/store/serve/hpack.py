"""HPACK header blocks: a decoder with its dynamic table, and stateless encoding.

The decoder bounds what it keeps: the table by `TABLE_BYTES`, a header list by `max_bytes`. A
block that leaves the table as it was will always mean the same while the table stays so; clients
send such blocks for nearly every call, so their meaning is remembered by their bytes.

Encoding uses no table: what a gRPC server says is a few constant bytes.

Source: RFC 7541.
"""

from collections import deque

from appliance.store.serve import huffman

TABLE_BYTES = 4096
"""The dynamic table's default size; we never allow more."""
_ENTRY_OVERHEAD = 32
_CACHED_BLOCKS = 256
_MAX_INTEGER_BYTES = 5

Header = tuple[bytes, bytes]


class HpackError(ValueError):
    """The block cannot be decoded; the connection is lost, for the tables differ from now on."""


class HeadersTooLarge(HpackError):
    """The header list is longer than we take."""


STATIC: tuple[Header, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *((b":status", code) for code in (b"200", b"204", b"206", b"304", b"400", b"404", b"500")),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *(
        (name, b"")
        for name in (
            b"accept-language accept-ranges accept access-control-allow-origin age allow"
            b" authorization cache-control content-disposition content-encoding content-language"
            b" content-length content-location content-range content-type cookie date etag expect"
            b" expires from host if-match if-modified-since if-none-match if-range"
            b" if-unmodified-since last-modified link location max-forwards proxy-authenticate"
            b" proxy-authorization range referer refresh retry-after server set-cookie"
            b" strict-transport-security transfer-encoding user-agent vary via www-authenticate"
        ).split()
    ),
)


class Decoder:
    """Decodes the blocks of one connection, in order."""

    def __init__(self, max_bytes: int = 16 << 10) -> None:
        self._max_bytes = max_bytes
        self._table: deque[Header] = deque()
        self._table_bytes = 0
        self._table_limit = TABLE_BYTES
        self._known: dict[bytes, tuple[Header, ...]] = {}
        self._changed = False

    def decode(self, block: bytes) -> tuple[Header, ...]:
        """Give the headers of a block.

        Raises:
            HpackError: it makes no sense, or the list is too long.
        """
        known = self._known.get(block)
        if known is not None:
            return known
        self._changed = False
        headers = self._read(block)
        if self._changed:
            self._known.clear()
        elif len(self._known) < _CACHED_BLOCKS:
            self._known[block] = headers
        return headers

    def _read(self, block: bytes) -> tuple[Header, ...]:
        headers: list[Header] = []
        size, place = 0, 0
        while place < len(block):
            first = block[place]
            if first & 0xE0 == 0x20:
                if headers:
                    raise HpackError("a table size after headers")
                limit, place = _integer(block, place, 5)
                self._resize(limit)
                continue
            header, place = self._header(block, place, first)
            size += len(header[0]) + len(header[1]) + _ENTRY_OVERHEAD
            if size > self._max_bytes:
                raise HeadersTooLarge("header list too large")
            headers.append(header)
        return tuple(headers)

    def _header(self, block: bytes, place: int, first: int) -> tuple[Header, int]:
        if first & 0x80:
            index, place = _integer(block, place, 7)
            return self._entry(index), place
        indexed = bool(first & 0x40)
        index, place = _integer(block, place, 6 if indexed else 4)
        if index:
            name = self._entry(index)[0]
        else:
            name, place = _string(block, place)
        value, place = _string(block, place)
        header = (name, value)
        if indexed:
            self._insert(header)
        return header, place

    def _entry(self, index: int) -> Header:
        if 0 < index <= len(STATIC):
            return STATIC[index - 1]
        place = index - len(STATIC) - 1
        if not 0 <= place < len(self._table):
            raise HpackError(f"no entry {index} in the table")
        return self._table[place]

    def _insert(self, header: Header) -> None:
        self._changed = True
        self._table.appendleft(header)
        self._table_bytes += len(header[0]) + len(header[1]) + _ENTRY_OVERHEAD
        self._evict()

    def _resize(self, limit: int) -> None:
        if limit > TABLE_BYTES:
            raise HpackError("the table may not be that large")
        self._changed = True
        self._table_limit = limit
        self._evict()

    def _evict(self) -> None:
        while self._table_bytes > self._table_limit:
            name, value = self._table.pop()
            self._table_bytes -= len(name) + len(value) + _ENTRY_OVERHEAD


def _integer(block: bytes, place: int, bits: int) -> tuple[int, int]:
    mask = (1 << bits) - 1
    value = block[place] & mask
    place += 1
    if value < mask:
        return value, place
    for shift in range(0, 7 * _MAX_INTEGER_BYTES, 7):
        if place >= len(block):
            raise HpackError("cut short")
        byte = block[place]
        place += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise HpackError("a number is too large")


def _string(block: bytes, place: int) -> tuple[bytes, int]:
    if place >= len(block):
        raise HpackError("cut short")
    coded = bool(block[place] & 0x80)
    size, place = _integer(block, place, 7)
    raw = block[place : place + size]
    if len(raw) < size:
        raise HpackError("cut short")
    try:
        return huffman.decode(raw) if coded else raw, place + size
    except huffman.HuffmanError as error:
        raise HpackError(str(error)) from error


def literal(name: bytes, value: bytes) -> bytes:
    """One header that enters no table."""
    return b"\x00" + _plain(name) + _plain(value)


def encode(headers: list[Header]) -> bytes:
    """A block of headers that enter no table."""
    return b"".join(literal(name, value) for name, value in headers)


def _plain(text: bytes) -> bytes:
    size = len(text)
    if size < 0x7F:
        return bytes([size]) + text
    out, size = bytearray([0x7F]), size - 0x7F
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out) + text
