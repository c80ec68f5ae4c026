"""The requests that nearly every call is, read and answered without a message in between.

A put of a key and a value, a read of one key: their bytes have one shape, so a few steps tell it
from all others and give the store's own values (None: read it as any message, by `wire`). Answers
are the bytes that `convert` and `wire` would make, which tests hold them to.

Keys at a revision never change, so their bytes are kept, bounded, for the next range that has them.
"""

from collections.abc import Iterable

from appliance.store.base import KeyValue, Put, Range, RangeResult
from appliance.store.serve.convert import kv_message
from appliance.store.serve.identity import Identity
from appliance.store.serve.wire import varint

_KEY, _SECOND = 0x0A, 0x12  # fields 1 and 2 of both requests, both bytes
_KVS = b"\x12"
_MORE, _COUNT = b"\x18\x01", b"\x20"
_KEPT_BYTES = 16 << 20
_KEPT_VALUE_BYTES = 32 << 10
_SERIALIZABLE = b"\x38\x01"  # means nothing to a single member


def put_of(data: bytes) -> Put | None:
    """A put of a key and a value, if it is one and nothing else."""
    end = len(data)
    if end < 4 or data[0] != _KEY or (size := data[1]) > 0x7F:
        return None
    place = 2 + size
    if place + 2 > end or data[place] != _SECOND:
        return None
    length, start = data[place + 1], place + 2
    if length > 0x7F:
        # Two bytes are enough for 16 KiB; what is larger is no hot path.
        if start >= end or data[start] > 0x7F:
            return None
        length, start = length & 0x7F | data[start] << 7, start + 1
    if start + length != end or not size:
        return None
    return Put(key=data[2:place], value=data[start:])


def range_of(data: bytes) -> Range | None:
    """A read of one key as it is now."""
    if len(data) < 3 or data[0] != _KEY or not 0 < data[1] < 0x80:
        return None
    rest = data[2 + data[1] :]
    if (rest and rest != _SERIALIZABLE) or len(data) < 2 + data[1]:
        return None
    return Range(key=data[2 : 2 + data[1]])


class Answers:
    """Makes the bytes of answers for one member."""

    def __init__(self, identity: Identity) -> None:
        whole = identity.header(1).encode()
        # Field 3 is the revision, here at 1; what stands before and behind it never changes.
        self._before, _, self._behind = whole.partition(b"\x18\x01")
        self._kvs: dict[tuple[int, bytes], bytes] = {}
        self._kept_bytes = 0

    def put(self, revision: int) -> bytes:
        """The answer to a put that asked for nothing."""
        return self._header(revision)

    def range(self, result: RangeResult) -> bytes:
        """The answer to a range."""
        parts = [self._header(result.revision)]
        parts += self._chunks(result.kvs)
        if result.more:
            parts.append(_MORE)
        if result.count:
            parts.append(_COUNT + varint(result.count))
        return b"".join(parts)

    def _header(self, revision: int) -> bytes:
        header = b"%b\x18%b%b" % (self._before, varint(revision), self._behind)
        return b"\x0a%c%b" % (len(header), header)

    def _chunks(self, kvs: Iterable[KeyValue]) -> list[bytes]:
        # Without its value (or read without) a key is quickly written, and must not be mixed up.
        kept, keep = self._kvs.get, self._keep
        return [(kv.value and kept((kv.mod_revision, kv.key))) or keep(kv) for kv in kvs]

    def _keep(self, kv: KeyValue) -> bytes:
        encoded = kv_message(kv).encode()
        chunk = _KVS + varint(len(encoded)) + encoded
        if kv.value and len(chunk) <= _KEPT_VALUE_BYTES:
            self._kvs[kv.mod_revision, kv.key] = chunk
            self._kept_bytes += len(chunk)
            if self._kept_bytes > _KEPT_BYTES:
                self._drop_half()
        return chunk

    def _drop_half(self) -> None:
        """Forget the older half."""
        for name in list(self._kvs)[: len(self._kvs) // 2 + 1]:
            self._kept_bytes -= len(self._kvs.pop(name))
