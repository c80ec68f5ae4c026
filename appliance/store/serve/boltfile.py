"""A bbolt database file, written once from front to back: what etcd's snapshots are.

    page 0, 1   meta, written last: they say where the root is
    page 2      the list of free pages, empty
    page 3 …    leaves of the first bucket, its branches, the next bucket, …, the root

Keys of a bucket come in order. Kept in memory: one page, and the first key of every page.

Source: bbolt's page.go, node.go, db.go (format version 2).
"""

import struct
from typing import BinaryIO

PAGE = 4096
_MAGIC, _VERSION = 0xED0CDAED, 2
_BRANCH, _LEAF, _META, _FREELIST = 0x01, 0x02, 0x04, 0x10
_BUCKET = 1
_PAGE_HEAD = struct.Struct("<QHHI")
_LEAF_ELEMENT = struct.Struct("<IIII")
_BRANCH_ELEMENT = struct.Struct("<IIQ")
_BUCKET_HEAD = struct.Struct("<QQ")
_META_BODY = struct.Struct("<IIIIQQQQQ")
_MAX_COUNT = 0xFFFF


class BoltFile:
    """The file as it grows."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._next_page = 3
        self._buckets: dict[bytes, bytes] = {}
        out.seek(self._next_page * PAGE)

    def bucket(self, name: bytes) -> "Bucket":
        """Begin a bucket; end it before the next one."""
        return Bucket(self, name)

    def finish(self) -> None:
        """Write root, free list and meta pages."""
        root = Bucket(self, b"", flags=_BUCKET)
        for name, value in sorted(self._buckets.items()):
            root.add(name, value)
        root_page = root.end_pages()
        self._out.seek(2 * PAGE)
        self._out.write(_padded(_PAGE_HEAD.pack(2, _FREELIST, 0, 0)))
        for page in (0, 1):
            body = _META_BODY.pack(
                _MAGIC, _VERSION, PAGE, 0, root_page, 0, 2, self._next_page, page
            )
            body += struct.pack("<Q", fnv1a(body))
            self._out.seek(page * PAGE)
            self._out.write(_padded(_PAGE_HEAD.pack(page, _META, 0, 0) + body))
        self._out.seek(0, 2)

    def write_page(self, kind: int, count: int, body: bytes) -> int:
        """Write a page, over several if it is large; gives its number."""
        number = self._next_page
        data = _padded(
            _PAGE_HEAD.pack(number, kind, count, (_PAGE_HEAD.size + len(body) - 1) // PAGE) + body
        )
        self._out.write(data)
        self._next_page += len(data) // PAGE
        return number

    def bucket_ended(self, name: bytes, value: bytes) -> None:
        """Remember where a bucket is."""
        self._buckets[name] = value


class Bucket:
    """One bucket; keys are added in order."""

    def __init__(self, file: BoltFile, name: bytes, flags: int = 0) -> None:
        self._file = file
        self._name = name
        self._flags = flags
        self._items: list[tuple[bytes, bytes]] = []
        self._size = _PAGE_HEAD.size
        self._pages: list[tuple[bytes, int]] = []

    def add(self, key: bytes, value: bytes) -> None:
        """Add a key behind all others."""
        size = _LEAF_ELEMENT.size + len(key) + len(value)
        if self._items and self._size + size > PAGE:
            self._flush()
        self._items.append((key, value))
        self._size += size

    def end(self) -> None:
        """No more keys."""
        if not self._items and not self._pages:  # an empty one stands inside its parent
            inline = _PAGE_HEAD.pack(0, _LEAF, 0, 0)
            self._file.bucket_ended(self._name, _BUCKET_HEAD.pack(0, 0) + inline)
        else:
            self._file.bucket_ended(self._name, _BUCKET_HEAD.pack(self.end_pages(), 0))

    def end_pages(self) -> int:
        """Write what is left and the branches above; gives the page on top."""
        self._flush()
        level = self._pages
        while len(level) > 1:
            level = [
                (group[0][0], self._branch(group)) for group in _groups(level, PAGE, _MAX_COUNT)
            ]
        return level[0][1]

    def _flush(self) -> None:
        if not self._items and self._pages:
            return
        head, data = bytearray(), bytearray()
        heads = _LEAF_ELEMENT.size * len(self._items)
        for key, value in self._items:
            place = heads + len(data) - len(head)  # from this element to its key
            head += _LEAF_ELEMENT.pack(self._flags, place, len(key), len(value))
            data += key + value
        first = self._items[0][0] if self._items else b""
        page = self._file.write_page(_LEAF, len(self._items), bytes(head + data))
        self._pages.append((first, page))
        self._items, self._size = [], _PAGE_HEAD.size

    def _branch(self, group: list[tuple[bytes, int]]) -> int:
        head, data = bytearray(), bytearray()
        heads = _BRANCH_ELEMENT.size * len(group)
        for key, page in group:
            head += _BRANCH_ELEMENT.pack(heads + len(data) - len(head), len(key), page)
            data += key
        return self._file.write_page(_BRANCH, len(group), bytes(head + data))


def _groups(pages: list[tuple[bytes, int]], size: int, most: int) -> list[list[tuple[bytes, int]]]:
    """Cut a level into what fits a page each; at least two go together, so that levels shrink."""
    groups: list[list[tuple[bytes, int]]] = []
    used = size
    for key, page in pages:
        needed = _BRANCH_ELEMENT.size + len(key)
        full = used + needed > size and (not groups or len(groups[-1]) > 1)
        if full or len(groups[-1]) >= most:
            groups.append([])
            used = _PAGE_HEAD.size
        groups[-1].append((key, page))
        used += needed
    return groups


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % PAGE)


def fnv1a(data: bytes) -> int:
    """The checksum of meta pages: FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
