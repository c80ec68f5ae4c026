"""What kubectl does with pods that really run: logs, waiting, deletion with and without grace."""

import json
import re
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.lab.cluster import KUBECTL, Cluster, eventually

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{case: {name}}}}}
spec:
  restartPolicy: {restart}
  terminationGracePeriodSeconds: {grace}
  containers:
  - name: main
    image: appliance.local/guestbook-frontend:1
    imagePullPolicy: IfNotPresent
    command: [{python}, -u, -S, -c, {code}]
"""


def pod(name: str, code: str, *, python: str, restart: str = "Never", grace: int = 2) -> str:
    quoted = json.dumps(code)  # YAML would fold the line ends of any other style
    return POD.format(name=name, code=quoted, python=python, restart=restart, grace=grace)


@pytest.fixture(scope="module")
def python() -> str:
    from examples.guestbook.images.build import PYTHON_HOME  # noqa: PLC0415 - its only use

    return f"{PYTHON_HOME}/bin/python3"


@pytest.fixture
def name(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    made = request.node.originalname.replace("test_", "").replace("_", "-")[:40].strip("-")
    yield made
    cluster.run("delete", "pod", made, "--ignore-not-found", "--grace-period=1")


@pytest.mark.conformance(186)
def test_a_followed_log_comes_line_by_line_and_ends_with_the_container(
    cluster: Cluster, name: str, python: str
) -> None:
    code = "import time\nfor n in range(3): print('line', n); time.sleep(0.3)"
    cluster.apply(pod(name, code, python=python))
    eventually(lambda: cluster.get("pod", name)["status"]["phase"] in {"Running", "Succeeded"})
    assert cluster.kubectl("logs", "-f", name).splitlines() == ["line 0", "line 1", "line 2"]
    eventually(lambda: cluster.get("pod", name)["status"]["phase"] == "Succeeded")
    assert cluster.kubectl("logs", name, "--tail=1") == "line 2\n"
    assert cluster.kubectl("logs", name, "--limit-bytes=1") == "l"
    [stamped] = cluster.kubectl("logs", name, "--tail=1", "--timestamps").splitlines()
    # Podman 4.3 tells whole seconds.
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z line 2", stamped)
    assert len(cluster.kubectl("logs", name, "--since=24h").splitlines()) == 3


def test_a_failed_pod_says_how(cluster: Cluster, name: str, python: str) -> None:
    cluster.apply(pod(name, "raise SystemExit(7)", python=python))
    eventually(lambda: cluster.get("pod", name)["status"]["phase"] == "Failed")
    (state,) = cluster.get("pod", name)["status"]["containerStatuses"]
    assert state["state"]["terminated"]["exitCode"] == 7
    assert "Error" in cluster.kubectl("get", "pod", name)


def test_a_crashing_pod_backs_off(cluster: Cluster, name: str, python: str) -> None:
    code = "raise SystemExit(1)"
    cluster.apply(pod(name, code, python=python, restart="Always"))

    def waiting() -> bool:
        status = cluster.get("pod", name)["status"].get("containerStatuses", [{}])[0]
        reason = status.get("state", {}).get("waiting", {}).get("reason")
        return reason == "CrashLoopBackOff" and status["restartCount"] >= 1

    eventually(waiting)
    assert "CrashLoopBackOff" in cluster.kubectl("get", "pod", name)


def test_waiting_and_deleting(cluster: Cluster, name: str, python: str) -> None:
    code = "import signal\nsignal.signal(15, lambda *_: 1 / 0)\nprint('up')\nsignal.pause()"
    cluster.apply(pod(name, code, python=python, grace=30))
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
    eventually(lambda: "up" in cluster.kubectl("logs", name))
    start = time.monotonic()
    assert f'pod "{name}" deleted' in cluster.kubectl("delete", "pod", name)
    assert time.monotonic() - start < 10, "it stops at SIGTERM and does not use up its grace"
    assert cluster.run("get", "pod", name).returncode == 1


def test_an_image_that_is_not_there_is_said_to_be(cluster: Cluster, name: str) -> None:
    cluster.kubectl("run", name, "--image=appliance.local/nowhere:1", "--image-pull-policy=Never")

    def reason() -> bool:
        found = cluster.get("pod", name)["status"].get("containerStatuses", [{}])[0]
        waiting = found.get("state", {}).get("waiting", {})
        return waiting.get("reason") == "ErrImageNeverPull"

    eventually(reason)


def test_a_watch_shows_a_pods_whole_life(cluster: Cluster, name: str, python: str) -> None:
    argv = [KUBECTL, "--kubeconfig", str(cluster.kubeconfig), "get", "pods", "-w", "--no-headers",
            "-l", f"case={name}", "-o", "custom-columns=:status.phase"]  # fmt: skip
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watching:
        try:
            cluster.apply(pod(name, "pass", python=python))
            assert watching.stdout is not None
            seen: list[str] = []
            while not seen or seen[-1] != "Succeeded":
                seen.append(watching.stdout.readline().strip())
        finally:
            watching.kill()
    assert seen[0] == "Pending"
