"""Outside suites of API clients on a live cluster: `make conformance-api SUITES=<folder>`.

The folder holds clones of the suites (they are not part of this project) and keeps what they need:
an environment each, made by the first run. All run on one one-node cluster on a real engine; what
passes is counted beside what upstream Kubernetes reached on the same kind of machine (its own
figures were taken without a node, so that those with pods failed there).

    python -m tests.conform.api_suites FOLDER [SUITE…]
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.conform import api_images
from tests.conform.pull_policy import pull_policy_webhook
from tests.conform.suites import command
from tests.lab.cluster import KUBECTL, Cluster


@dataclass(frozen=True)
class Suite:
    """A suite: its folder, what it needs, how it runs, and what upstream reached."""

    folder: str
    upstream: str
    packages: tuple[str, ...]
    run: tuple[str, ...]
    arrange: Callable[[Path, Path, Path], Path]
    """(clone, environment, kubeconfig) → the folder to run in."""
    passed: str = r"(\d+) passed"


def _python(clone: Path, env: Path, _kubeconfig: Path) -> Path:
    """The published package, with the tests laid into it; a folder with their manifests."""
    package = next(env.glob("lib/python3*/site-packages/kubernetes"))
    for part in ("e2e_test", "aio/e2e_test"):
        if (package / part).parent.is_dir():
            shutil.copytree(clone / "kubernetes" / part, package / part, dirs_exist_ok=True)
    place = env / "place"
    manifests = "kubernetes/e2e_test/test_yaml"
    shutil.copytree(clone / manifests, place / manifests, dirs_exist_ok=True)
    return place


def _in_clone(clone: Path, _env: Path, _kubeconfig: Path) -> Path:
    return clone


def _kr8s(clone: Path, _env: Path, kubeconfig: Path) -> Path:
    """Stands in for kind, which the suite starts its cluster with."""
    place = clone / ".pytest-kind" / "pytest-kind"
    place.mkdir(parents=True, exist_ok=True)
    for old in place.glob("k*"):
        old.unlink()
    kind = "#!/bin/sh\ncase \"$1 $2\" in 'get clusters') echo pytest-kind;; esac\n"
    kubectl = f'#!/bin/sh\nexec {KUBECTL} "$@"\n'
    for name, text in (("kind-v0.17.0", kind), ("kubectl-v1.25.3", kubectl)):
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    shutil.copy(kubeconfig, place / "kubeconfig")
    version = clone / "kr8s" / "_version.py"  # its build makes it
    if not version.exists():
        version.write_text('__version__ = "0.0.0"\n')
    return clone


def _javascript(clone: Path, env: Path, _kubeconfig: Path) -> Path:
    """The published package under the tests, whose generated sources are too large to be here."""
    place = env / "place"
    shutil.copytree(clone / "src/test/integration", place / "integration", dirs_exist_ok=True)
    for path in (place / "integration").glob("*.ts"):
        text = re.sub(r"from '../../\w+\.js'", "from '@kubernetes/client-node'", path.read_text())
        path.write_text(text)
    return place


def _pytest(*args: str) -> tuple[str, ...]:
    return ("{env}/bin/pytest", "-q", "-p", "no:cacheprovider", *args)


_MODULES = "{env}/lib/python3.11/site-packages/kubernetes"
SUITES = {
    "python": Suite(
        folder="python",
        upstream="39 of 45",
        packages=("kubernetes", "pytest", "aiohttp"),
        run=_pytest("--import-mode=importlib", f"{_MODULES}/e2e_test"),
        arrange=_python,
    ),
    "kubernetes_asyncio": Suite(
        folder="kubernetes_asyncio",
        upstream="11 of 12",
        packages=("kubernetes_asyncio", "pytest"),
        run=_pytest("kubernetes_asyncio/e2e_test"),
        arrange=_in_clone,
    ),
    "kr8s": Suite(
        folder="kr8s",
        upstream="207 of 248",
        packages=(
            "kr8s", "pytest", "pytest-asyncio", "pytest-kind", "pytest-timeout", "trio",
            "pytest-rerunfailures", "pytest-cov", "lightkube", "kubernetes", "pykube-ng",
            "kubernetes-asyncio", "kubernetes-validate",
        ),
        run=_pytest("--no-cov", "--timeout", "90", "kr8s/tests"),
        arrange=_kr8s,
    ),
    "lightkube": Suite(
        folder="lightkube",
        upstream="12 of 22",
        packages=("lightkube", "pytest", "pytest-asyncio", "jinja2"),
        run=_pytest("-o", "asyncio_mode=auto", "e2e-tests"),
        arrange=_in_clone,
    ),
    "javascript": Suite(
        folder="javascript",
        upstream="5 of 5 expected",
        packages=(),
        run=("npx", "tsx", "integration/index.ts"),
        arrange=_javascript,
        passed=r"tests? passed!|patched with new label",
    ),
}  # fmt: skip


_STAND_IN = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "metrics-server-0", "namespace": "kube-system"},
    "spec": {"containers": [{"name": "main", "image": "nginx", "imagePullPolicy": "IfNotPresent"}]},
}
"""Suites take for granted that pods run in kube-system, this among them; we need none there."""


async def prepare(suite: Suite, env: Path, clone: Path) -> None:
    """Make the environment of a suite, once."""
    if (env / "done").exists():
        return
    here = dict(os.environ)
    if suite.packages:
        await command([sys.executable, "-m", "venv", str(env)], clone, here)
        await command([f"{env}/bin/pip", "install", "-q", *suite.packages], clone, here)
    else:
        place = env / "place"
        place.mkdir(parents=True, exist_ok=True)
        package = {"type": "module", "private": True, "overrides": {"undici": "^6"}}
        (place / "package.json").write_text(json.dumps(package))  # a newer one needs Node 22
        wanted = ["@kubernetes/client-node", "tsx", "typescript", "@types/node"]
        npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", *wanted]
        await command(npm, place, here)
    (env / "done").touch()


async def run(suite: Suite, folder: Path, kubeconfig: Path, home: Path) -> int:
    """Run a suite; how many tests passed."""
    clone, env = folder / suite.folder, folder / f".env-{suite.folder}"
    await prepare(suite, env, clone)
    place = suite.arrange(clone, env, kubeconfig)
    argv = [part.format(env=env) for part in suite.run]
    path = f"{Path(KUBECTL).parent}:{os.environ['PATH']}"
    more = {"KUBECONFIG": str(kubeconfig), "HOME": str(home), "PATH": path}
    told = await command(argv, place, {**os.environ, **more})
    found = re.findall(suite.passed, told)
    return int(found[-1]) if found and found[-1].isdigit() else len(found)


def renamed(kubeconfig: Path, into: Path) -> Path:
    """The kubeconfig under the user's name that kind gives, which some tests look for."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["name"] = "kubernetes-admin"
    config["contexts"][0]["context"]["user"] = "kubernetes-admin"
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(yaml.safe_dump(config))
    return into


async def _all(folder: Path, names: list[str], kubeconfig: Path, home: Path) -> dict[str, int]:
    counts = {}
    for name in names:
        suite = SUITES[name]
        if not (folder / suite.folder).is_dir():
            print(f"{name}: no clone in {folder / suite.folder}")
            continue
        counts[name] = await run(suite, folder, kubeconfig, home)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("suites", nargs="*", default=[])
    parser.add_argument("--runtime", default="docker")
    parser.add_argument("--prepare", action="store_true", help="only make the environments")
    given = parser.parse_args()
    folder, names = given.folder.resolve(), given.suites or list(SUITES)
    if given.prepare:
        for name in names:
            suite = SUITES[name]
            clone, env = folder / suite.folder, folder / f".env-{suite.folder}"
            asyncio.run(prepare(suite, env, clone))
        return 0
    with TemporaryDirectory() as temporary:
        home = Path(temporary)
        endpoint = os.environ.get(f"APPLIANCE_{given.runtime.upper()}_ENDPOINT", "")
        api_images.load(given.runtime)
        cluster = Cluster(home / "cluster", given.runtime, endpoint)
        try:
            cluster.start()
            kubeconfig = renamed(cluster.kubeconfig, home / ".kube" / "config")
            with pull_policy_webhook(home) as webhook:
                cluster.apply(json.dumps(webhook))
                cluster.apply(json.dumps(_STAND_IN))
                counts = asyncio.run(_all(folder, names, kubeconfig, home))
        finally:
            if cluster.process is not None and cluster.process.poll() is None:
                cluster.stop()
            cluster.reset()
    print()
    for name, count in counts.items():
        print(f"{name:20} {count:4} passed; upstream {SUITES[name].upstream}")
    return int(not counts)


if __name__ == "__main__":
    raise SystemExit(main())
