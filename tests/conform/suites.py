"""Outside suites for etcd clients, run on our store: `make conformance-store SUITES=<folder>`.

The folder holds clones of the suites (they are not part of this project) and keeps what they need:
an environment each, made by the first run. Every suite gets a fresh store; what passes is counted
and compared with what a real etcd 3.4.23 reaches on the same kind of machine.

    python -m tests.conform.suites FOLDER [SUITE…]        --real etcd: the same on a real etcd
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conform.etcd_endpoints import until_open
from tests.lab.cluster import free_port

_LIMIT_S = 900


@dataclass(frozen=True)
class Suite:
    """A suite: where it lies, how it is prepared and run, and what a real etcd reaches."""

    folder: str
    expected: int
    prepare: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]
    env: dict[str, str]
    tls: bool = False
    passed: str = r"(\d+) passed"


def _pip(*packages: str) -> tuple[tuple[str, ...], ...]:
    return (
        (sys.executable, "-m", "venv", "{env}"),
        ("{env}/bin/pip", "install", "--quiet", *packages),
    )


def _pytest(*paths: str) -> tuple[str, ...]:
    return ("{env}/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths)


SUITES = {
    "python-etcd3": Suite(
        folder="python-etcd3",
        expected=81,
        prepare=_pip("protobuf<3.21", "grpcio", "tenacity", "six", "pytest", "hypothesis", "mock"),
        run=_pytest("tests", "--deselect", ("tests/test_etcd3.py::TestClient::test_user_pwd_auth")),
        env={
            "PYTHON_ETCD_HTTP_URL": "{url}",
            "TEST_ETCD_VERSION": "v3.4.23",
            "PYTHONPATH": ".:etcd3",
        },
    ),
    "aetcd": Suite(
        folder="aetcd",
        expected=90,
        prepare=_pip(
            "grpcio", "protobuf>4,<8", "pytest", "pytest-asyncio", "pytest-mock", "pytest-cov"
        ),
        run=_pytest("tests"),
        env={"TEST_ETCD_HTTP_URL": "{url}", "PYTHONPATH": "."},
    ),
    "etcd3gw": Suite(
        folder="etcd3gw",
        expected=39,
        prepare=_pip("pbr", "requests", "futurist", "oslotest", "pytest", "urllib3"),
        run=_pytest("etcd3gw"),
        env={
            "TOOZ_TEST_HTTP_URL": "http://127.0.0.1:{port}",
            "TOOZ_TEST_ETCD_PORT": "{port}",
            "PBR_VERSION": "1.0",
        },
    ),
    "etcd3": Suite(
        folder="etcd3",
        expected=155,
        prepare=(
            ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
            ("npx", "tsc"),
            ("touch", "{env}"),
        ),
        run=("npx", "mocha"),
        env={"ETCD_ADDR": "127.0.0.1:{port}", "ETCD_VERSION": "3.4.23"},
        tls=True,
        passed=r"(\d+) passing",
    ),
}


@asynccontextmanager
async def endpoint(real: str, tls: Path | None) -> AsyncIterator[int]:
    """A fresh store on a free port; with `tls`, behind the suite's own certificate."""
    port = free_port()
    url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    flags = ["--listen-client-urls", url, "--advertise-client-urls", url]
    if tls:
        flags += ["--cert-file", f"{tls}/certs/etcd0.localhost.crt"]
        flags += ["--key-file", f"{tls}/private/etcd0.localhost.key"]
    with TemporaryDirectory() as data:
        peer = f"http://127.0.0.1:{free_port()}"
        ours = [sys.executable, "-m", "appliance", "store", "--log-level", "error"]
        theirs = [real, "--log-level", "error", "--listen-peer-urls", peer]
        theirs += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
        process = await asyncio.create_subprocess_exec(
            *(theirs if real else ours), "--data-dir", data, *flags
        )
        try:
            await until_open(f"http://127.0.0.1:{port}")
            yield port
        finally:
            process.terminate()
            await process.wait()


async def run(suite: Suite, folder: Path, real: str) -> int:
    """Run a suite; how many tests passed."""
    place = folder / suite.folder
    env = folder / f".env-{suite.folder}"
    tls = place / "src/test/certs" if suite.tls else None
    if not env.exists():
        for step in suite.prepare:
            await command(_filled(step, env=env), place, dict(os.environ))
    async with endpoint(real, tls) as port:
        values = {"url": f"http://127.0.0.1:{port}", "port": port}
        more = {name: text.format(**values) for name, text in suite.env.items()}
        told = await command(_filled(suite.run, env=env), place, {**os.environ, **more})
    found = re.findall(suite.passed, told)
    return int(found[-1]) if found else 0


def _filled(argv: tuple[str, ...], env: Path) -> list[str]:
    return [part.format(env=env) for part in argv]


async def command(argv: list[str], place: Path, env: dict[str, str]) -> str:
    """Run a command, show what it says and give it back; it asks nobody anything."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=place,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = []
    try:
        async with asyncio.timeout(_LIMIT_S):
            async for line in process.stdout:
                said.append(line.decode(errors="replace"))
                sys.stdout.write(said[-1])
    except TimeoutError:
        os.killpg(process.pid, 9)
    await process.wait()
    return "".join(said)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("suites", nargs="*", default=[])
    parser.add_argument("--real", default="", help="path of a real etcd to run them on instead")
    given = parser.parse_args()
    folder = given.folder.resolve()
    counts = {}
    for name in given.suites or SUITES:
        if not (folder / SUITES[name].folder).is_dir():
            print(f"{name}: no clone in {folder / SUITES[name].folder}")
            continue
        if SUITES[name].tls and shutil.which("npm") is None:
            print(f"{name}: npm is not installed")
            continue
        counts[name] = await run(SUITES[name], folder, given.real)
    print()
    for name, count in counts.items():
        print(f"{name:14} {count:4} passed, a real etcd {SUITES[name].expected}")
    return int(not counts or any(count < SUITES[name].expected for name, count in counts.items()))


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
