"""Programs and libraries of this host → the shared libraries that run them in an empty root.

Called by `contents`. `ldd` says what the loader would take; we believe it. Bounded by the number of
files: some hundred for a Python with its packages, about 10 ms each.
"""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

from appliance.kit import subproc

_AT_ONCE = 60  # files a call: keeps what ldd prints within what subproc keeps
_DEADLINE_S = 120.0
# `libm.so.6 => /lib/x/libm.so.6 (0x…)`, or the loader alone: `/lib64/ld-linux… (0x…)`
_FOUND = re.compile(r"\s+(?:\S+ => )?(/\S+) \(0x")
_MISSING = re.compile(r"\s+(\S+) => not found")


class MissingLibrary(Exception):
    """A program of this host needs a library that is not here."""


async def libraries(files: Iterable[Path]) -> set[Path]:
    """All shared libraries, and the loader, that these files need; static ones need none.

    Raises:
        MissingLibrary: the loader would not find one.
    """
    todo = sorted(files)
    parts = [todo[at : at + _AT_ONCE] for at in range(0, len(todo), _AT_ONCE)]
    found: set[Path] = set()
    for texts in await asyncio.gather(*map(_ldd, parts)):
        found |= parse(texts)
    return found


def parse(text: str) -> set[Path]:
    """What `ldd` printed for some files.

    Raises:
        MissingLibrary: "not found" stands beside a library.
    """
    found = set()
    for line in text.splitlines():
        if match := _FOUND.match(line):
            found.add(Path(match[1]))
        elif match := _MISSING.match(line):
            raise MissingLibrary(f"{match[1]} is not on this host; install what brings it")
    return found


async def _ldd(files: list[Path]) -> str:
    # The code is 1 when one of them is static ("not a dynamic executable"): nothing to complain of.
    done = await subproc.run(["ldd", *map(str, files)], timeout_s=_DEADLINE_S)
    return done.stdout.decode(errors="replace")
