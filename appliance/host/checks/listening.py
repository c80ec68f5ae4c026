"""Who listens on which port: /proc/net names sockets, /proc/<pid>/fd says whose they are."""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from appliance.host.checks.facts import Listener

_LISTENS = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
_COMMAND_LENGTH = 80


def listeners(proc: Path) -> tuple[Listener, ...] | None:
    """All listeners of our network namespace; None if the kernel does not say."""
    found: dict[str, Listener] = {}
    for name, state in _LISTENS.items():
        try:
            text = (proc / "net" / name).read_text()
        except OSError:
            if name == "tcp":
                return None
            continue  # a kernel without IPv6
        found |= dict(parse(text, protocol=name.removesuffix("6"), state=state))
    owners = _owners(proc, set(found)) if found else {}
    return tuple(
        replace(one, pid=owners[inode][0], program=owners[inode][1]) if inode in owners else one
        for inode, one in found.items()
    )


def parse(text: str, *, protocol: str, state: str) -> Iterator[tuple[str, Listener]]:
    """Inode and listener of each line of a file in /proc/net that is in a state."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if words[3] == state and words[2].endswith(":0000"):
            address, _, port = words[1].partition(":")
            yield (
                words[9],
                Listener(protocol=protocol, address=_address(address), port=int(port, 16)),
            )


def _address(text: str) -> str:
    """Addresses are written as 32-bit words in the machine's byte order."""
    raw = bytes.fromhex(text)
    words = struct.unpack(f">{len(raw) // 4}I", raw)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))


def _owners(proc: Path, inodes: set[str]) -> dict[str, tuple[int, str]]:
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, tuple[int, str]] = {}
    for entry in os.listdir(proc):
        if not entry.isdecimal():
            continue
        for target in _open_files(proc / entry / "fd"):
            if (inode := wanted.get(target)) is not None:
                found.setdefault(inode, (int(entry), _command(proc / entry)))
    return found


def _open_files(folder: Path) -> Iterator[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return  # it ended, or is not ours to look at
    for name in names:
        try:
            yield os.readlink(folder / name)
        except OSError:
            continue  # it was closed meanwhile


def _command(process: Path) -> str:
    try:
        raw = (process / "cmdline").read_bytes().replace(b"\0", b" ").strip()
        text = raw.decode(errors="replace") or (process / "comm").read_text().strip()
    except OSError:
        return ""
    return text if len(text) <= _COMMAND_LENGTH else text[: _COMMAND_LENGTH - 1] + "…"
