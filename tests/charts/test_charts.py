"""A chart of three tiers with everything that charts use, by the helms in the folder HELMS.

Run by `make charts HELMS=<folder with helm-3.17, helm-4.3, …>` on every engine that is here; not in
CI, as helm comes from outside.
"""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.kit.clock import SystemClock
from appliance.node.runtimes.base import Unreachable
from appliance.node.runtimes.detect import default_endpoint, open_runtime
from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually, free_port

pytestmark = pytest.mark.timeout(600)
CHART = Path(__file__).with_name("shop")
OURS = "app.kubernetes.io/instance=shop"
LISTED = (
    "all,configmaps,secrets,serviceaccounts,roles,rolebindings,ingresses,networkpolicies,"
    "poddisruptionbudgets,persistentvolumeclaims,resourcequotas,limitranges,coupons"
)


def helms() -> list[Path]:
    return sorted(Path(os.environ.get("HELMS", "/nowhere")).glob("helm-*"))


async def _load(engine: str) -> str:
    try:
        runtime = await open_runtime(engine, "", SystemClock())
    except Unreachable as absent:
        return str(absent)
    await runtime.load(shell_image.archive(shell_image.SHELL))
    await runtime.close()
    return ""


@pytest.fixture(scope="module", params=["docker", "podman"])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    engine = str(request.param)
    if why := asyncio.run(_load(engine)):
        pytest.skip(why)
    port, tls = free_port(), free_port()
    flags = ["--ingress", "haproxy", "--ingress-http-port", str(port)]
    made = Cluster(
        tmp_path_factory.mktemp(f"charts-{engine}"),
        engine,
        default_endpoint(engine),
        flags=[*flags, "--ingress-https-port", str(tls)],
    )
    made.ingress_port = port
    try:
        made.start()
        made.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
        yield made
        made.stop()
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()
        made.reset()


class Helm:
    """One helm, in a namespace of its own."""

    def __init__(self, program: Path, cluster: Cluster, home: Path) -> None:
        self.program = program
        self.cluster = cluster
        self.namespace = re.sub(r"[^a-z0-9]+", "-", program.name)
        self._env = {"HOME": str(home), "PATH": os.environ["PATH"]}
        self._env["KUBECONFIG"] = str(cluster.kubeconfig)

    def __call__(self, *argv: str) -> str:
        done = subprocess.run(
            [self.program, "-n", self.namespace, *argv],
            capture_output=True, text=True, timeout=240, env=self._env,
        )  # fmt: skip
        assert done.returncode == 0, f"helm {' '.join(argv)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def kubectl(self, *argv: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *argv)

    def get(self, *argv: str) -> Any:
        return json.loads(self.kubectl("get", *argv, "-o", "json"))

    def volumes(self) -> set[str]:
        every = self.cluster.get("persistentvolumes")["items"]
        return {volume["metadata"]["name"] for volume in every}

    def page(self, host: str = "shop.example") -> str:
        url = f"http://127.0.0.1:{self.cluster.ingress_port}/"
        answer = httpx.get(url, headers={"Host": host}, timeout=10, trust_env=False)
        return answer.text.strip() if answer.is_success else str(answer.status_code)


@pytest.fixture(params=helms() or [None], ids=lambda path: path.name if path else "none")
def helm(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Helm:
    if request.param is None:
        pytest.skip("no helm: name a folder with helm-<version> by HELMS")
    return Helm(request.param, cluster, tmp_path)


def test_a_chart_from_install_to_uninstall(helm: Helm) -> None:
    helm("install", "shop", str(CHART), "--create-namespace", "--wait", "--timeout", "120s")
    assert len(helm.get(LISTED, "-l", OURS)["items"]) >= 20
    assert helm.get("jobs")["items"] == [], "hooks that succeeded are gone"
    eventually(lambda: helm.page() == "hello")
    helm("test", "shop", "--timeout", "90s")
    (database,) = helm.get("pods", "-l", f"tier=db,{OURS}")["items"]
    eventually(lambda: helm.get("hpa", "shop-web")["status"].get("currentReplicas") == 2)

    helm("upgrade", "shop", str(CHART), "--set", "greeting=moin", "--wait", "--timeout", "120s")
    eventually(lambda: helm.page() == "moin")
    (same,) = helm.get("pods", "-l", f"tier=db,{OURS}")["items"]
    assert same["metadata"]["uid"] == database["metadata"]["uid"], "what did not change stays"

    helm("rollback", "shop", "1", "--wait", "--timeout", "120s")
    eventually(lambda: helm.page() == "hello")
    history = json.loads(helm("history", "shop", "-o", "json"))
    assert [(one["revision"], one["status"]) for one in history] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "deployed"),
    ]
    (listed,) = json.loads(helm("list", "-o", "json"))
    assert (listed["name"], listed["status"], listed["revision"]) == ("shop", "deployed", "3")
    helm.kubectl("delete", "pod", database["metadata"]["name"])
    helm.kubectl("rollout", "status", "statefulset/shop-db", "--timeout=60s")
    starts = helm.kubectl("exec", "shop-db-0", "--", "cat", "/data/starts")
    assert len(starts.splitlines()) == 2, "the claim's data outlives the pod"

    volumes = {claim["spec"]["volumeName"] for claim in helm.get("pvc")["items"]}
    assert volumes <= helm.volumes()
    helm("uninstall", "shop", "--wait", "--timeout", "120s")
    eventually(lambda: helm.get(LISTED, "-l", OURS)["items"] == [])
    eventually(lambda: helm.get("pods,replicasets,endpointslices,endpoints")["items"] == [])
    eventually(lambda: not helm.volumes() & volumes)
    assert helm.page() == "404"
    assert json.loads(helm("list", "-o", "json")) == []
    assert helm.get("secrets")["items"] == []
