"""What conformance asks of kubectl where nothing need run, by the numbers of the suite of 1.36."""

import itertools
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conform.controlled import Api
from tests.conform.test_sig_api_machinery import controller, deployment, items

pytestmark = pytest.mark.slow
_NUMBERS = itertools.count()
Kubectl = Callable[..., str]


@pytest.fixture
def space(api: Api) -> str:
    return api.namespace(f"cli-{next(_NUMBERS)}")


@pytest.fixture
def kubectl(api: Api, space: str) -> Kubectl:
    """It succeeds, in the test's namespace, and does not complain."""

    def run(*argv: str, stdin: str = "", code: int = 0) -> str:
        done = api.kubectl(*argv, "-n", space.rsplit("/", 1)[1], stdin=stdin)
        assert (done.returncode, done.stderr) == (code, ""), f"{argv}: {done.stdout}"
        return done.stdout

    return run


def of_kind(kind: str, version: str, body: Any) -> str:
    return json.dumps({"apiVersion": version, "kind": kind, **body})


CONTROLLER = of_kind("ReplicationController", "v1", controller("rc"))


@pytest.mark.conformance(171, 172, 181)
def test_versions_and_the_control_plane(kubectl: Kubectl) -> None:
    assert "v1" in kubectl("api-versions").splitlines()
    assert "Kubernetes control plane" in kubectl("cluster-info")
    told = kubectl("version")
    assert re.search(r"^Client Version: v1\.\d+", told, re.MULTILINE)
    assert re.search(r"^Server Version: v1\.\d+", told, re.MULTILINE)


@pytest.mark.conformance(173)
def test_describe_tells_what_matters(api: Api, space: str, kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=CONTROLLER)
    pods = api.until(lambda: found if len(found := items(api, f"{space}/pods")) == 2 else None)
    told = kubectl("describe", "rc", "rc")
    for word in ("Name:", "Namespace:", "Selector:", "Labels:", "Replicas:", "Pods Status:"):
        assert re.search(rf"^{word}", told, re.MULTILINE), word
    told = kubectl("describe", "pod", pods[0]["metadata"]["name"])
    for word in ("Name:", "Labels:", "Status:", "Controlled By:", "Containers:"):
        assert re.search(rf"^{word}", told, re.MULTILINE), word
    assert "Status:" in kubectl("describe", "namespace", space.rsplit("/", 1)[1])


@pytest.mark.conformance(174, 180)
def test_differences_are_shown_and_dry_runs_store_nothing(kubectl: Kubectl) -> None:
    text = of_kind("Deployment", "apps/v1", deployment("web", 0))
    kubectl("apply", "-f", "-", stdin=text)
    told = kubectl("diff", "-f", "-", stdin=text.replace("none:1", "none:2"), code=1)
    assert re.search(r"^-.*none:1$", told, re.MULTILINE)
    assert re.search(r"^\+.*none:2$", told, re.MULTILINE)
    kubectl("run", "lone", "--image=none:1")
    patch = json.dumps({"spec": {"containers": [{"name": "lone", "image": "none:2"}]}})
    told = kubectl("patch", "pod", "lone", "-p", patch, "--dry-run=server")
    assert "pod/lone patched" in told
    image = kubectl("get", "pod", "lone", "-o", "jsonpath={.spec.containers[0].image}")
    assert image == "none:1"


@pytest.mark.conformance(175)
def test_controllers_and_services_are_exposed(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=CONTROLLER)
    kubectl("expose", "rc", "rc", "--name=rm2", "--port=1234", "--target-port=6379")
    kubectl("expose", "service", "rm2", "--name=rm3", "--port=2345", "--target-port=6379")
    for name, port in (("rm2", 1234), ("rm3", 2345)):
        spec = json.loads(kubectl("get", "service", name, "-o", "json"))["spec"]
        assert (spec["ports"][0]["port"], spec["selector"]) == (port, {"app": "x"})


@pytest.mark.conformance(176, 177, 178, 179)
def test_pods_are_run_labelled_patched_and_replaced(api: Api, space: str, kubectl: Kubectl) -> None:
    assert kubectl("run", "lone", "--image=none:1", "--restart=Never") == "pod/lone created\n"
    spec = api("GET", f"{space}/pods/lone")["spec"]
    assert (spec["restartPolicy"], spec["containers"][0]["image"]) == ("Never", "none:1")
    kubectl("label", "pods", "lone", "testing-label=value")
    assert "value" in kubectl("get", "pod", "lone", "-L", "testing-label")
    kubectl("label", "pods", "lone", "testing-label-")
    assert "value" not in kubectl("get", "pod", "lone", "-L", "testing-label")
    kubectl("patch", "pod", "lone", "-p", '{"metadata":{"annotations":{"x":"y"}}}')
    assert api("GET", f"{space}/pods/lone")["metadata"]["annotations"]["x"] == "y"
    whole = json.loads(kubectl("get", "pod", "lone", "-o", "json"))
    whole["spec"]["containers"][0]["image"] = "none:2"
    assert kubectl("replace", "-f", "-", stdin=json.dumps(whole)) == "pod/lone replaced\n"
    assert api("GET", f"{space}/pods/lone")["spec"]["containers"][0]["image"] == "none:2"


@contextmanager
def proxy(api: Api, *argv: str) -> Iterator[str]:
    """kubectl proxy; gives its first line."""
    program = str(Path(sys.executable).with_name("kubectl"))
    env = {"KUBECONFIG": str(api.kubeconfig), "HOME": str(api.kubeconfig.parent)}
    process = subprocess.Popen(
        [program, "proxy", *argv], env=env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.mark.conformance(183)
def test_a_proxy_on_a_free_port(api: Api) -> None:
    with proxy(api, "--port=0") as line:
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, line
        answer = httpx.get(f"http://127.0.0.1:{found[1]}/api", trust_env=False)
        assert answer.json()["kind"] == "APIVersions"


@pytest.mark.conformance(182)
def test_a_proxy_on_a_unix_socket(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with proxy(api, f"--unix-socket={path}"):
        end = time.monotonic() + 20
        while not path.is_socket():
            assert time.monotonic() < end
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport) as http:
            assert http.get("http://localhost/api").json()["kind"] == "APIVersions"
