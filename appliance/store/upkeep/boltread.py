"""Read a bbolt database file: what etcd's snapshots are. The reverse of `serve.boltfile`.

Walks pages from the root by key order; nothing is kept but the way down. Every number that comes
out of the file is checked against its size before it is followed.

Source: bbolt's page.go, node.go, db.go (format version 2).
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from appliance.store.errors import StoreError
from appliance.store.serve.boltfile import fnv1a

_MAGIC, _VERSION = 0xED0CDAED, 2
_BRANCH, _LEAF = 0x01, 0x02
_BUCKET = 1
_PAGE_HEAD = struct.Struct("<QHHI")
_LEAF_ELEMENT = struct.Struct("<IIII")
_BRANCH_ELEMENT = struct.Struct("<IIQ")
_BUCKET_HEAD = struct.Struct("<QQ")
_META_BODY = struct.Struct("<IIIIQQQQQ")
_DEEPEST = 64


class BrokenSnapshot(StoreError):
    """The file is no bbolt database, or a damaged one; the text says where."""


class BoltReader:
    """A file of buckets; the file is read at once (etcd's are at most 8 GiB, ours far smaller)."""

    def __init__(self, path: Path) -> None:
        self._data = memoryview(path.read_bytes())
        self._page_size = 4096
        metas = [meta for at in (0, 1) if (meta := self._meta(at))]
        if not metas:
            raise BrokenSnapshot(f"{path}: this is no snapshot of etcd")
        self._page_size, self._root, _ = max(metas, key=lambda meta: meta[2])

    def bucket(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of a bucket, in order; nothing if it is not there."""
        for flags, key, value in self._walk(self._page(self._root), 0):
            if key == name and flags & _BUCKET:
                yield from ((k, v) for _, k, v in self._walk(self._of_bucket(value), 0))

    def _of_bucket(self, value: bytes) -> memoryview:
        root, _ = self._unpack(_BUCKET_HEAD, memoryview(value), 0)
        return self._page(root) if root else memoryview(value)[_BUCKET_HEAD.size :]

    def _walk(self, page: memoryview, depth: int) -> Iterator[tuple[int, bytes, bytes]]:
        if depth > _DEEPEST:
            raise BrokenSnapshot("pages of the snapshot lead in a circle")
        _, kind, count, _ = self._unpack(_PAGE_HEAD, page, 0)
        for number in range(count):
            if kind & _BRANCH:
                at = _PAGE_HEAD.size + number * _BRANCH_ELEMENT.size
                child = self._unpack(_BRANCH_ELEMENT, page, at)[2]
                yield from self._walk(self._page(child), depth + 1)
            elif kind & _LEAF:
                at = _PAGE_HEAD.size + number * _LEAF_ELEMENT.size
                flags, place, key_size, value_size = self._unpack(_LEAF_ELEMENT, page, at)
                start, end = at + place, at + place + key_size + value_size
                if end > len(page):
                    raise BrokenSnapshot("a value of the snapshot lies outside its page")
                yield (
                    flags,
                    bytes(page[start : start + key_size]),
                    bytes(page[start + key_size : end]),
                )
            else:
                raise BrokenSnapshot("a page of the snapshot is neither branch nor leaf")

    def _page(self, number: int) -> memoryview:
        start = number * self._page_size
        overflow = self._unpack(_PAGE_HEAD, self._data, start)[3]
        return self._data[start : start + (overflow + 1) * self._page_size]

    def _meta(self, number: int) -> tuple[int, int, int] | None:
        """(page size, root page, transaction) of a meta page that is whole."""
        for page_size in (4096, 8192, 16384, 65536):  # the first is at 0 anyway
            start = number * page_size + _PAGE_HEAD.size
            body = bytes(self._data[start : start + _META_BODY.size + 8])
            if len(body) < _META_BODY.size + 8:
                return None
            magic, version, size, _, root, _, _, _, txid = _META_BODY.unpack_from(body)
            (checksum,) = struct.unpack_from("<Q", body, _META_BODY.size)
            whole = magic == _MAGIC and version == _VERSION and size
            if whole and checksum == fnv1a(body[: _META_BODY.size]):
                return size, root, txid
        return None

    @staticmethod
    def _unpack(form: struct.Struct, data: memoryview, at: int) -> tuple[int, ...]:
        try:
            return form.unpack_from(data, at)
        except struct.error as error:
            raise BrokenSnapshot("the snapshot ends where more is needed") from error
