"""The redo log: small groups of rows are durable here before they are in the database.

A commit of SQLite writes whole pages to its log, 8 to 24 KiB for one small row, and an SD card
wears out by that. A record here is as long as its rows, in whole sectors, and one write with one
sync. What has gathered is moved into the database by one transaction later (`Writer`), together
with the mark `tables.REDONE`: the number of the last record that is in it. After a crash
`recovery` does the same with what the log still holds.

    sector 0      magic, salt, number before the first record, checksum
    sector 1 …    records in a ring; each begins a sector:
                  magic, bytes, number, checksum over salt, number and rows | rows as MessagePack

Numbers begin at a random place, so that a log never fits another database; the salt, so that no
value written by a client can pass for a record. A record is used only if its number follows.

One record is under way at a time: `append` runs on any thread, all else on the loop. The file has
a fixed size and is written over, so its metadata never changes and needs no sync. Written past the
page cache where the file system lets us.

Idea: etcd's WAL in front of its B+tree (server/storage/wal).
"""

import contextlib
import mmap
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from appliance.store.sql.rows import Row

log = structlog.get_logger(__name__)

SECTOR = 512
MAX_RECORD = 64 << 10
_MAGIC, _RECORD = b"apls-redo-log-01", 0x52444F31
_FILE_HEAD = struct.Struct("<16s8sqI")
_HEAD = struct.Struct("<IIqI")
_NUMBER = struct.Struct("<q")
_FIRST_BELOW = 1 << 61
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Row]).decode


class Mark(NamedTuple):
    """A place in the log: everything up to it."""

    number: int
    position: int


class Record(NamedTuple):
    """Rows that became durable together."""

    number: int
    rows: list[Row]


class RedoLog:
    """The log as its one writer uses it."""

    def __init__(self, path: Path, size_bytes: int, done: int) -> None:
        """Open the log of a database that has all records up to number `done`.

        Raises:
            OSError: it cannot be made or written.
        """
        self.number = done
        self.size_bytes = size_bytes
        self._size = size_bytes - SECTOR
        self._position = 0
        self._freed = 0
        head = _head_of(path) if path.exists() else None
        if head is None or head.first > done or path.stat().st_size != size_bytes:
            head = _create(path, size_bytes, done)
        self._salt = head.salt
        self._buffer = mmap.mmap(-1, MAX_RECORD)  # aligned, as direct writes ask for
        self._file = _open(path, self._buffer)

    @property
    def used_bytes(self) -> int:
        """What is not in the database yet."""
        return self._position - self._freed

    @property
    def mark(self) -> Mark:
        """All that has been written."""
        return Mark(self.number, self._position)

    def encode(self, rows: list[Row]) -> bytes | None:
        """The next record, or None if it is too large or has no room now."""
        body = _encode(rows)
        size = _HEAD.size + len(body)
        if size > MAX_RECORD or self._after(_sectors(size)) - self._freed > self._size:
            return None
        number = self.number + 1
        return _HEAD.pack(_RECORD, len(body), number, _sum(self._salt, number, body)) + body

    def append(self, record: bytes) -> None:
        """Write what `encode` has made last, on any thread; durable on return.

        Raises:
            OSError: whether it is on disk is not known; call `skip` before going on.
        """
        size = _sectors(len(record))
        after = self._after(size)
        self._buffer[: len(record)] = record
        with memoryview(self._buffer) as whole, whole[:size] as data:
            if os.pwrite(self._file, data, SECTOR + (after - size) % self._size) != size:
                raise OSError("a short write to the redo log")
        os.fdatasync(self._file)

    def advance(self, record: bytes) -> None:
        """What `append` has written counts."""
        self.number += 1
        self._position = self._after(_sectors(len(record)))

    def skip(self) -> None:
        """The record that failed must never be used: its number is given up."""
        self.number += 1

    def release(self, mark: Mark) -> None:
        """Everything up to the mark is in the database, and so is its number."""
        self._freed = mark.position

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
        self._buffer.close()

    def _after(self, size: int) -> int:
        """The position behind the next record; a record does not run over the end of the file."""
        place = self._position % self._size
        skipped = self._size - place if place + size > self._size else 0
        return self._position + skipped + size


class Found(NamedTuple):
    """What a log holds beyond a database: the records that follow, and the newest of all."""

    records: list[Record]
    last: int
    newest_row: int

    @property
    def torn(self) -> bool:
        """Whether records are missing in the middle: the log or the database is not what it was."""
        return self.last > (self.records[-1].number if self.records else 0)


def read(path: Path, done: int) -> Found:
    """What the log holds beyond the record number `done`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Found([], 0, 0)
    head = _parse_head(data)
    if head is None or head.first > done:
        return Found([], 0, 0)  # of another database
    newer = {record.number: record for record in _records(data, head.salt) if record.number > done}
    following: list[Record] = []
    while (record := newer.get(done + len(following) + 1)) is not None:
        following.append(record)
    newest_row = max((record.rows[-1][0] for record in newer.values()), default=0)
    return Found(following, max(newer, default=0), newest_row)


def log_of(path: Path) -> Path:
    """The redo log of a database file."""
    return path.with_name(path.name + ".redo")


class _FileHead(NamedTuple):
    salt: bytes
    first: int


def _records(data: bytes, salt: bytes) -> Iterator[Record]:
    place = SECTOR
    while place + SECTOR <= len(data):
        magic, size, number, checksum = _HEAD.unpack_from(data, place)
        body = data[place + _HEAD.size : place + _HEAD.size + size]
        if magic == _RECORD and size <= MAX_RECORD and _sum(salt, number, body) == checksum:
            yield Record(number, _decode(body))
            place += _sectors(_HEAD.size + size)
        else:
            place += SECTOR


def _sum(salt: bytes, number: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(_NUMBER.pack(number), zlib.crc32(salt)))


def _sectors(size: int) -> int:
    return -(-size // SECTOR) * SECTOR


def _head_of(path: Path) -> _FileHead | None:
    with path.open("rb") as file:
        return _parse_head(file.read(SECTOR))


def _parse_head(data: bytes) -> _FileHead | None:
    if len(data) < _FILE_HEAD.size:
        return None
    magic, salt, first, checksum = _FILE_HEAD.unpack_from(data)
    return (
        _FileHead(salt, first) if magic == _MAGIC and checksum == _sum(salt, first, b"") else None
    )


def first_number() -> int:
    """Where a database begins to count that has never had a log."""
    return secrets.randbelow(_FIRST_BELOW) + 1


def _create(path: Path, size_bytes: int, done: int) -> _FileHead:
    """Make the file, whole and synced, before it has its name."""
    salt = secrets.token_bytes(8)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        fresh.chmod(0o600)
        file.write(_FILE_HEAD.pack(_MAGIC, salt, done, _sum(salt, done, b"")))
        file.write(bytes(size_bytes - file.tell()))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return _FileHead(salt, done)


def _open(path: Path, buffer: mmap.mmap) -> int:
    """Open it for direct writes of sectors, or for ordinary ones if that cannot be."""
    with contextlib.suppress(OSError), memoryview(buffer) as whole, whole[:SECTOR] as sector:
        file = os.open(path, os.O_RDWR | os.O_DIRECT)
        try:
            os.preadv(file, [sector], 0)
        except OSError:
            os.close(file)
            raise
        return file
    return os.open(path, os.O_RDWR)
