"""The recordings of a real kube-apiserver 1.36.2, as one packed file: a scenario a line.

    python -m tests.golden.recordings FOLDER     pack FOLDER/*.json anew

A scenario is `{name, tags, namespaces, steps: [{request, response, ignore}]}`; what may be in a
request is told in `replay.py`.
"""

import json
import lzma
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

PACKED = Path(__file__).with_name("recordings.jsonl.xz")
KNOWN = Path(__file__).with_name("known.txt")


def load() -> list[dict[str, Any]]:
    """Every scenario, in the order of names."""
    with lzma.open(PACKED, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def pack(folder: Path) -> None:
    """Make the file anew from single files."""
    cases = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n" for case in cases]
    PACKED.write_bytes(lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))


def known() -> list[str]:
    """Globs on `case[step]` of the differences that have a reason."""
    lines = [line.partition("#")[0].split() for line in KNOWN.read_text().splitlines()]
    return [words[0] for words in lines if words]


def is_known(step: str) -> bool:
    """Whether a step is among them."""
    return any(fnmatchcase(step, glob) for glob in known())


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
