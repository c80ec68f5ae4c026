"""Disks as a power cut leaves them, made from a journal of what a program did (`disklog.c`).

What was synced is there. Of what was not, anything may be missing: each sector of each write on
its own, so that pages and frames are torn; a sector may even be half old and half new. Names
(created, removed, renamed files) come in order, but the last ones may be missing until the
folder is synced.
"""

import random
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("disklog.c")
COMPILER = shutil.which("cc")
SECTOR = 512
_HEAD = struct.Struct("<c3xIQQ")
_BYTES_FOLLOW = "WA"


def build(folder: Path) -> Path:
    """Compile the recorder."""
    library = folder / "disklog.so"
    argv = [str(COMPILER), "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run([*argv, "-lpthread"], check=True, timeout=60)
    return library


class Record(NamedTuple):
    """One thing that was done."""

    op: str
    name: str
    offset: int
    size: int
    data: bytes


def read(journal: Path) -> list[Record]:
    """A journal, in order."""
    data, place, found = journal.read_bytes(), 0, []
    while place < len(data):
        op, name_size, offset, size = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        name = data[place : place + name_size].decode()
        place += name_size
        kind = op.decode()
        end = place + (size if kind in _BYTES_FOLLOW else 0)
        found.append(Record(kind, name, offset, size, data[place:end]))
        place = end
    return found


@dataclass
class File:
    """What is on the disk for sure, and what may be."""

    content: bytearray = field(default_factory=bytearray)
    pending: list[Record] = field(default_factory=list)


class Disk:
    """One folder; feed it a journal, then cut the power."""

    def __init__(self, before: Path) -> None:
        self._files = {path.name: File(bytearray(path.read_bytes())) for path in before.iterdir()}
        self._durable = dict(self._files)  # names that are there for sure
        self._names: list[Record] = []  # changes of names that may be missing

    def feed(self, record: Record) -> None:
        """The next thing that was done."""
        if record.op in "CUR":
            self._names.append(record)
            _rename(self._files, record)
        elif record.op == "D":
            self._names.clear()
            self._durable = dict(self._files)
        elif record.op in "WT":
            self._files[record.name].pending.append(record)
        elif record.op == "S":
            file = self._files[record.name]
            for done in file.pending:
                _apply(file.content, done)
            file.pending.clear()

    @property
    def at_stake(self) -> int:
        """Writes that are not synced."""
        return sum(len(file.pending) for file in self._files.values())

    def cut(self, rng: random.Random, into: Path) -> None:
        """Write what is left into a folder."""
        files = dict(self._durable)
        for record in self._names[: rng.randint(0, len(self._names))]:
            _rename(files, record, self._files)
        into.mkdir(parents=True)
        kept = rng.choice([0.0, 0.5, 0.9, 1.0])
        for name, file in files.items():
            content = bytearray(file.content)
            for record in file.pending:
                _apply_some(content, record, rng, kept)
            (into / name).write_bytes(content)


def _rename(
    files: dict[str, File], record: Record, all_files: dict[str, File] | None = None
) -> None:
    if record.op == "C":
        files[record.name] = (all_files or {}).get(record.name) or File()
    elif record.op == "U":
        files.pop(record.name, None)
    else:
        old, fresh = record.name.split("\n")
        files[fresh] = files.pop(old)


def _apply(content: bytearray, record: Record) -> None:
    if record.op == "T":
        del content[record.size :]
        content.extend(bytes(record.size - len(content)))
        return
    end = record.offset + record.size
    content.extend(bytes(max(0, end - len(content))))
    content[record.offset : end] = record.data


def _apply_some(content: bytearray, record: Record, rng: random.Random, kept: float) -> None:
    """What of an unsynced change has reached the disk."""
    if record.op == "T":
        if rng.random() < kept:
            _apply(content, record)
        return
    place = record.offset
    while place < record.offset + record.size:
        end = min((place // SECTOR + 1) * SECTOR, record.offset + record.size)
        if rng.random() < kept:
            whole = record.data[place - record.offset : end - record.offset]
            if rng.random() < 0.02:
                whole = whole[: rng.randrange(len(whole))]
            _apply(content, Record("W", record.name, place, len(whole), whole))
        place = end
