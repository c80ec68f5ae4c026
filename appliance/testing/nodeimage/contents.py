"""What is in a node's root: path in the image → a file of this host, or text of our own.

Our package and what it requires, as installed beside it; the interpreter that runs us with its
standard library; the programs of one container engine, Podman or Docker; the shared libraries of
all these; a handful of small files in /etc. So a node runs the very code that the test imports,
and nothing is downloaded. Called by `build`; about 4,000 files, 250 MB.
"""

import ctypes
import importlib.metadata
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

import appliance
from appliance.node.images.archive import File, Link
from appliance.testing.nodeimage.closure import libraries

Engine = Literal["podman", "docker"]
Root = dict[str, Path | File | Link]

SITE = "/opt/appliance/site"
PYTHON = "/usr/bin/python3"
DISTRIBUTION = "appliance"
_NOT_NEEDED = frozenset({"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter",
                         "turtledemo", "lib2to3", "ensurepip"})  # fmt: skip
_NO_SCREEN = "_tkinter"
_PLACES = ("/usr/libexec/podman", "/usr/lib/podman", "/usr/local/libexec/podman")
# Programs that the agent calls, and a few for whoever looks into a node.
_TOOLS = ("mount", "umount", "env", "sh", "ip", "nft", "cat", "ls", "ps")
_NEEDED_TOOLS = frozenset({"mount", "umount", "env", "sh"})
_LINK_RULES = "libnftables.so.1"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_LOADER_CACHE = Path("/etc/ld.so.cache")


class NotHere(Exception):
    """This host lacks something; `str()` says what to install."""


@dataclass(frozen=True, slots=True)
class EnginePrograms:
    """Programs of an engine: all of `needed`, one of `runtimes`, what is here of `wanted`."""

    needed: tuple[str, ...]
    runtimes: tuple[str, ...]
    wanted: tuple[str, ...] = ()
    package: str = ""


ENGINES: Mapping[Engine, EnginePrograms] = {
    "podman": EnginePrograms(
        ("podman", "conmon"), ("runc", "crun"), ("netavark", "aardvark-dns"), "podman and runc"
    ),
    "docker": EnginePrograms(
        ("dockerd", "containerd", "containerd-shim-runc-v2"), ("runc",), (), "docker.io"
    ),
}


@dataclass(slots=True)
class Node:
    """The root, and which of its files are programs or libraries with needs of their own."""

    engine: Engine
    root: Root = field(default_factory=dict)
    binaries: set[Path] = field(default_factory=set)

    def add(self, path: Path, at: str = "", *, binary: bool = False) -> None:
        """Put a file of this host in, at its own path or another."""
        self.root[at or str(path)] = path.resolve()
        if binary:
            self.binaries.add(path.resolve())


def describe(engine: Engine) -> Node:
    """Everything but the shared libraries: quick, for it also gives the image its name.

    Raises:
        NotHere: the engine or a library is not on this host.
    """
    node = Node(engine)
    python(node)
    _packages(node)
    _engine(node)
    for tool in _TOOLS:
        if path := shutil.which(tool):
            node.add(Path(path), f"/usr/bin/{tool}", binary=True)
        elif tool in _NEEDED_TOOLS:
            raise NotHere(f"there is no {tool} on this host, and nodes need it")
    node.root["/bin/sh"] = node.root["/usr/bin/sh"]
    node.root.setdefault(PYTHON, Link(str(_interpreter())))
    node.add(_loaded(_LINK_RULES), binary=True)
    if _CERTIFICATES.exists():
        node.add(_CERTIFICATES)
    if _LOADER_CACHE.exists():
        node.add(_LOADER_CACHE)
    node.root |= _small_files()
    return node


async def complete(node: Node) -> Root:
    """The whole root: with the libraries that its programs need."""
    inside = {path.parent for path in node.binaries}
    found = await libraries(node.binaries)
    for library in found:
        if library.parent.resolve() in inside and library.is_relative_to(_site()):
            continue  # lies beside its user, in a package that is copied whole
        node.root.setdefault(str(library), library.resolve())
    return node.root


def installed_engine() -> Engine:
    """The engine whose programs are on this host, Podman first: it starts faster.

    Raises:
        NotHere: none is.
    """
    for engine, programs in ENGINES.items():
        if all(map(_program, programs.needed)) and any(map(_program, programs.runtimes)):
            return engine
    raise NotHere(
        "a node image is made of this host's own container engine, and neither podman (with "
        "conmon and runc) nor dockerd (with containerd and runc) is on it; install one, or name "
        "an image: ApplianceCluster(image=…)"
    )


def python(node: Node) -> None:
    """Put this interpreter and its standard library in."""
    paths = sysconfig.get_paths()
    for standard in {Path(paths["stdlib"]), Path(paths["platstdlib"])}:
        for path in _files_under(standard):
            is_binary = path.suffix == ".so"
            if not path.name.startswith((_NO_SCREEN, "libpython")):
                node.add(path, binary=is_binary)
    interpreter = _interpreter()
    node.add(interpreter, binary=True)


def _interpreter() -> Path:
    return Path(sys.executable).resolve()


def _files_under(folder: Path) -> Iterator[Path]:
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_NEEDED]
        folders[:] = [name for name in folders if not name.startswith("config-")]
        yield from (Path(at) / name for name in files if _wanted(name))


def _wanted(name: str) -> bool:
    """No archives of objects, and of compiled modules only what this interpreter itself takes."""
    compiled = f".{sys.implementation.cache_tag}.pyc"
    return not name.endswith(".a") and (not name.endswith(".pyc") or name.endswith(compiled))


def _packages(node: Node) -> None:
    for name in sorted(required(DISTRIBUTION)):
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if ".." in file.parts or not _wanted(file.name) or not path.is_file():
                continue
            node.add(path, f"{SITE}/{file}", binary=".so" in file.suffixes)
    # Our own package by itself: a checkout that is installed in place lists no files of it.
    ours = Path(appliance.__file__).parent
    for path in _files_under(ours):
        node.add(path, f"{SITE}/appliance/{path.relative_to(ours)}")


def required(name: str) -> set[str]:
    """A distribution and all that it requires here, without extras that nobody asked for."""
    seen: set[str] = set()
    todo = [(name, frozenset[str]())]
    while todo:
        current, extras = todo.pop()
        distribution = importlib.metadata.distribution(current)
        seen.add(_canonical(current))
        for text in distribution.requires or ():
            need = Requirement(text)
            if _canonical(need.name) in seen or not _applies(need, extras):
                continue
            todo.append((need.name, frozenset(need.extras)))
    return seen


def _applies(need: Requirement, extras: Iterable[str]) -> bool:
    marker = need.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _engine(node: Node) -> None:
    programs = ENGINES[node.engine]
    for name in programs.needed:
        node.add(_needed(name, programs.package), f"/usr/bin/{name}", binary=True)
    runtimes = [path for name in programs.runtimes if (path := _program(name))]
    if not runtimes:
        raise NotHere(f"{' or '.join(programs.runtimes)} is missing; install {programs.package}")
    for path in runtimes:
        node.add(path, f"/usr/bin/{path.name}", binary=True)
    for name in programs.wanted:
        if path := _program(name):
            node.add(path, f"/usr/libexec/podman/{name}", binary=True)


def _needed(name: str, package: str) -> Path:
    path = _program(name)
    if path is None:
        raise NotHere(f"there is no {name} on this host; install {package}")
    return path


def _program(name: str) -> Path | None:
    search = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin", *_PLACES))
    found = shutil.which(name, path=search)
    return Path(found) if found else None


def _loaded(library: str) -> Path:
    """Where the loader finds a library: load it and look."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        raise NotHere(f"{library} is not on this host; install nftables") from error
    for line in Path("/proc/self/maps").read_text().splitlines():
        _, _, path = line.partition("/")
        if Path(path).name.startswith(library):
            return Path(f"/{path}")
    raise NotHere(f"{library} was loaded from nowhere")


def _site() -> Path:
    return Path(sysconfig.get_paths()["platlib"]).resolve()


def _small_files() -> Root:
    start = f"#!{PYTHON}\nfrom appliance.cli.main import main\nmain()\n"
    return {
        "/usr/local/bin/appliance": File(start.encode(), 0o755),
        "/etc/passwd": File(b"root:x:0:0:root:/root:/bin/sh\n"),
        "/etc/group": File(b"root:x:0:\n"),
        "/etc/nsswitch.conf": File(b"hosts: files dns\n"),
        "/etc/os-release": File(b'ID=appliance\nPRETTY_NAME="appliance node in a container"\n'),
        "/etc/containers/policy.json": File(b'{"default": [{"type": "insecureAcceptAnything"}]}\n'),
        "/etc/containers/storage.conf": File(
            b'[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\n'
            b'graphroot = "/var/lib/containers/storage"\n'
        ),
        "/root/.keep": File(b""),
        "/var/tmp/.keep": File(b""),  # noqa: S108 - in the image
        "/tmp/.keep": File(b""),  # noqa: S108 - in the image
    }
