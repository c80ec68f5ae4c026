"""The folder of manifests, read: which stacks there are, and what each wants.

A file `web.yaml` is the stack `web`; so are all files under a folder `web/`. Read by the keeper
in a thread; bounded by FILE_MAX_BYTES for each file. Files whose names begin with a dot, end with
`~` or are of another kind are none of ours; `web.yaml.skip` leaves the stack `web` as it is.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.kit.yamltext import all_from_yaml

ENDINGS = (".yaml", ".yml", ".json")
SKIP = ".skip"
FILE_MAX_BYTES = 8 * 2**20


class Unfit(ValueError):
    """What was written cannot be applied; the message says why."""


@dataclass(slots=True)
class Stack:
    """What one stack wants: plain objects in the order of their files, or why it can't be read."""

    name: str
    files: list[str] = field(default_factory=list)
    """Paths below the folder."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def names(folder: Path) -> dict[str, tuple[Any, ...]]:
    """What there is: stack → something that changes when one of its files does.

    Raises:
        OSError: the folder cannot be read, which says nothing about what is in it.
    """
    found: dict[str, list[Any]] = {}
    for path, name in _files(folder):
        info = path.stat()
        found.setdefault(name, []).append((str(path), info.st_mtime_ns, info.st_size, info.st_ino))
    return {name: tuple(sorted(files)) for name, files in found.items()}


def skipped(folder: Path) -> frozenset[str]:
    """Stacks that are to be left as they are.

    Raises:
        OSError: the folder cannot be read.
    """
    marks = (path.name.removesuffix(SKIP) for path in folder.iterdir() if path.suffix == SKIP)
    return frozenset(_stack_of(name) or name for name in marks)


def read(folder: Path, name: str) -> Stack | None:
    """One stack, None if nothing of it is there.

    Raises:
        OSError: the folder cannot be read.
    """
    stack = Stack(name)
    for path, owner in sorted(_files(folder)):
        if owner != name:
            continue
        shown = str(path.relative_to(folder))
        stack.files.append(shown)
        try:
            stack.bodies += _bodies(path)
        except (OSError, ValueError) as error:
            stack.faults.append(f"{shown}: {error}")
    return stack if stack.files else None


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every manifest and its stack."""
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from ((below, path.name) for below in _below(path))
        elif name := _stack_of(path.name):
            yield path, name


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if _stack_of(name):
                yield Path(root, name)


def _stack_of(name: str) -> str | None:
    """The stack of a file by its name, None where it is no manifest."""
    stem, ending = os.path.splitext(name)
    return stem if ending in ENDINGS and not name.startswith(".") else None


def _bodies(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        text = file.read(FILE_MAX_BYTES + 1)
    if len(text) > FILE_MAX_BYTES:
        raise Unfit(f"a manifest may have {FILE_MAX_BYTES} bytes: split it")
    found: list[dict[str, Any]] = []
    for document in all_from_yaml(text):
        for body in _unfolded(document):
            if not isinstance(body, Mapping):
                raise Unfit(f"want objects, found {type(body).__name__}")
            found.append(dict(body))
    return found


def _unfolded(document: Any) -> list[Any]:
    """The items of a List, or the object itself."""
    if isinstance(document, Mapping) and str(document.get("kind", "")).endswith("List"):
        items = document.get("items")
        if isinstance(items, list):
            return items
    return [document]
