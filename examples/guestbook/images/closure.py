"""Programs of this host → the files that run them in an empty image.

A registry-free host still has programs: an image needs the program, the shared libraries that
`ldd` names, and the loader. `build.py` puts images together from such pieces. Nothing here is
kept; a closure costs as much memory as its files, 30 MB at most.
"""

import json
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

from appliance.kit import subproc
from appliance.node.images.archive import File, Link

Files = dict[str, File | Link]

PYTHON_HOME = "/python"
_DOWNLOAD_DEADLINE_S = 300.0


async def program(path: Path, *, extra: Path | None = None) -> Files:
    """A program at its own path with its libraries; `extra` is a root that has some of them."""
    search = f"LD_LIBRARY_PATH={':'.join(_library_folders(extra))}"
    found = await subproc.run(["env", search, "ldd", str(path)], timeout_s=30)
    files: Files = {_inside(path, extra): _file(path)}
    for line in found.check().stdout.decode().splitlines():
        # `libm.so.6 => /lib/x/libm.so.6 (0x…)`, or the loader alone: `/lib64/ld-linux… (0x…)`
        match = re.match(r"\s*(?:\S+ => )?(/\S+) \(0x", line)
        if match:
            library = Path(match[1])
            files[_inside(library, extra)] = _file(library)
        elif "not found" in line:
            raise FileNotFoundError(f"{path} needs {line.split()[0]}, which is not on this host")
    return files


async def python_with(script: str, modules: tuple[str, ...]) -> Files:
    """This interpreter under PYTHON_HOME, with just the modules that these load.

    The interpreter says itself which files it has open once everything is imported, in a process
    of its own that sees nothing but the standard library. It finds its home from where it lies.
    """
    imports = "".join(f"import {name}\n" for name in (*_imports(script), "os", *modules))
    report = (
        "import sys, json\n"
        "print(json.dumps([m.__spec__.origin for m in list(sys.modules.values())"
        " if getattr(m, '__spec__', None)]))"
    )
    executable = _interpreter()
    done = await subproc.run([str(executable), "-I", "-S", "-c", imports + report])
    standard = Path(sysconfig.get_paths()["stdlib"])
    home = f"{PYTHON_HOME}/lib/{standard.name}"
    files = await program(executable)
    files[f"{PYTHON_HOME}/bin/python3"] = files.pop(str(executable))
    for origin in json.loads(done.check().stdout):
        path = Path(origin or "")
        if not path.is_absolute() or not path.is_relative_to(standard):
            continue  # built in
        files[f"{home}/{path.relative_to(standard)}"] = _file(path)
        if path.suffix == ".so":
            libraries = await program(path)
            files |= {name: file for name, file in libraries.items() if name != str(path)}
    files.setdefault(f"{home}/os.py", _file(standard / "os.py"))  # the sign of a home
    files[f"{home}/lib-dynload/.keep"] = File(b"")
    return files


async def debian_packages(names: tuple[str, ...], into: Path) -> Path:
    """Unpack packages, and what of their needs this host lacks, into a folder; install nothing."""
    cache = into / "cache"
    os.makedirs(cache / "archives" / "partial", exist_ok=True)
    settings = ["-o", f"Dir::Cache={cache}", "-o", "APT::Sandbox::User=root"]
    get = ["apt-get", "-q", "-y", *settings]
    fetch = [*get, "--download-only", "--no-install-recommends", "--reinstall", "install", *names]
    done = await subproc.run(fetch, timeout_s=_DOWNLOAD_DEADLINE_S)
    if done.code != 0:  # a fresh host has no package lists yet
        (await subproc.run([*get, "update"], timeout_s=_DOWNLOAD_DEADLINE_S)).check()
        (await subproc.run(fetch, timeout_s=_DOWNLOAD_DEADLINE_S)).check()
    root = into / "root"
    for package in sorted(cache.rglob("*.deb")):
        (await subproc.run(["dpkg-deb", "-x", str(package), str(root)], timeout_s=60)).check()
    shutil.rmtree(cache)
    return root


def _imports(script: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^(?:import|from) ([\w.]+)", script, re.MULTILINE))


def _interpreter() -> Path:
    return Path(sys.executable).resolve()


def _file(path: Path) -> File:
    return File(path.resolve().read_bytes(), 0o755)


def _library_folders(root: Path | None) -> list[str]:
    return sorted({str(library.parent) for library in root.rglob("*.so*")}) if root else []


def _inside(path: Path, extra: Path | None) -> str:
    if extra is not None and path.is_relative_to(extra):
        return "/" + str(path.relative_to(extra))
    return str(path)
