r"""SPDY/3's compressed name-value blocks.

One `HeaderReader` and one `HeaderWriter` per connection: each block goes on where the one before
left zlib's window. Used by `kit.spdy`.
Bound: `BLOCK_BYTES` of an uncompressed block, whatever its compressed size.

Source: SPDY protocol draft 3.1, 2.6.10; the dictionary is part of the protocol (Adler-32
e3c6a7c2, which a test checks).
"""

import struct
import zlib
from collections.abc import Mapping

BLOCK_BYTES = 64 * 1024

_WORDS = """
    options head post put delete trace accept accept-charset accept-encoding accept-language
    accept-ranges age allow authorization cache-control connection content-base content-encoding
    content-language content-length content-location content-md5 content-range content-type date
    etag expect expires from host if-match if-modified-since if-none-match if-range
    if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
    proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade
    user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url
    public set-cookie keep-alive origin
"""
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _counted(text: str) -> bytes:
    raw = text.encode("latin-1")
    return struct.pack(">I", len(raw)) + raw


DICTIONARY = b"".join(_counted(word.replace("_", " ")) for word in _WORDS.split()) + _TAIL.encode()


class BadHeaders(Exception):
    """A block that can't be read; the connection is lost, since zlib's window is."""


class HeaderReader:
    """Compressed blocks → names and values."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """Names in lower case; of several values of one name the first.

        Raises:
            BadHeaders: it can't be read, or is too long.
        """
        try:
            plain = self._zlib.decompress(block, BLOCK_BYTES)
            if self._zlib.unconsumed_tail:
                raise BadHeaders(f"a header block is over {BLOCK_BYTES} bytes long")
            return _parse(plain)
        except (zlib.error, struct.error) as error:
            raise BadHeaders(str(error)) from error


class HeaderWriter:
    """Names and values → compressed blocks."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def write(self, headers: Mapping[str, str]) -> bytes:
        """One block."""
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            parts += [_counted(name.lower()), _counted(value)]
        return self._zlib.compress(b"".join(parts)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


def _parse(plain: bytes) -> dict[str, str]:
    (count,) = struct.unpack_from(">I", plain)
    at, texts = 4, []
    for _ in range(count * 2):
        (length,) = struct.unpack_from(">I", plain, at)
        at += 4
        if at + length > len(plain):
            raise BadHeaders("a header block ends too early")
        texts.append(plain[at : at + length].decode("latin-1"))
        at += length
    names, values = texts[::2], texts[1::2]
    return {n.lower(): v.split("\0")[0] for n, v in zip(names, values, strict=True)}
