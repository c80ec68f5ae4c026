"""The disk image boots, joins a server outside the machine, and its node runs a pod that answers.

`make test-image` builds the image and names it in APPLIANCE_IMAGE and keeps the serial log.
"""

import json
import os
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.api import quantity
from tests.image.machine import HOST, Machine, wait
from tests.lab.cluster import KUBECTL, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif("APPLIANCE_IMAGE" not in os.environ, reason="make test-image builds one"),
]
NODE_PORT = 30080
BOOT_S = 400  # 50 s with nothing else to do, and other work may share the processors
MANIFEST = f"""
apiVersion: v1
kind: Pod
metadata: {{name: page, labels: {{app: page}}}}
spec:
  tolerations:  # the machine boots slowly: its pod waits for it
  - key: node.kubernetes.io/unreachable
    operator: Exists
    effect: NoExecute
    tolerationSeconds: 3600
  - key: node.kubernetes.io/not-ready
    operator: Exists
    effect: NoExecute
    tolerationSeconds: 3600
  containers:
  - name: page
    image: appliance.local/guestbook-frontend:1
    imagePullPolicy: Never
    ports: [{{containerPort: 80}}]
---
apiVersion: v1
kind: Service
metadata: {{name: page}}
spec:
  type: NodePort
  selector: {{app: page}}
  ports: [{{port: 80, nodePort: {NODE_PORT}}}]
"""


class Server:
    """A server without a node of its own."""

    def __init__(self, folder: Path) -> None:
        self.data, self.port = folder / "server", free_port()
        self.log = (folder / "server.log").open("ab")
        command = [
            *self.command("server"), "--disable-agent", "--bind-address", "127.0.0.1",
            "--https-listen-port", str(self.port), "--tls-san", HOST, "--node-ip", "127.0.0.1",
            "--etcd-listen-client-urls", "",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stderr=self.log)
        subprocess.run(
            [*self.command("status"), "--disable-agent", "--wait", "100s"],
            check=True,
            stdout=subprocess.PIPE,
        )

    def command(self, *verb: str) -> list[str]:
        return [sys.executable, "-m", "appliance", *verb, "--data-dir", str(self.data)]

    def token(self) -> str:
        made = subprocess.run(self.command("token", "create"), check=True, stdout=subprocess.PIPE)
        return made.stdout.decode().strip()

    def kubectl(self, *args: str, stdin: str = "") -> str:
        command = [KUBECTL, "--kubeconfig", str(self.data / "server/admin.kubeconfig"), *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else f"kubectl: {done.stderr}"

    def ready(self, name: str) -> bool:
        path = "{.status.conditions[?(@.type=='Ready')].status}"
        return self.kubectl("get", "node", name, "-o", f"jsonpath={path}") == "True"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path)
    yield one
    one.process.terminate()
    one.process.wait(30)
    one.log.close()


@pytest.fixture
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    image = Path(os.environ["APPLIANCE_IMAGE"])
    one = Machine(tmp_path, image, (free_port(), getattr(request, "param", NODE_PORT)))
    yield one
    one.stop()
    shutil.copy(one.serial, image.with_suffix(f".{request.node.originalname}.serial.log"))


def _answers(url: str) -> bool:
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=5, context=unchecked) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_flashed_host_joins_runs_pods_and_says_what_is_wrong(
    server: Server, machine: Machine
) -> None:
    machine.write(
        "appliance.yaml",
        f"role: agent\nserver: https://{HOST}:{server.port}\ntoken: {server.token()}\n"
        "hostname: pi-vm\n",
    )
    machine.start()
    took = {"console: starting": machine.wait_for("appliance: agent pi-vm is starting", BOOT_S)}
    took["console: running"] = machine.wait_for("appliance: agent pi-vm is running", BOOT_S)
    took["Ready"] = wait(lambda: server.ready("pi-vm"), BOOT_S, lambda: machine.said()[-3000:])
    node = json.loads(server.kubectl("get", "node", "pi-vm", "-o", "json"))
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("podman://")

    root_bytes = quantity.value(node["status"]["capacity"]["ephemeral-storage"])
    assert root_bytes > machine.image_bytes, "root has not grown to the disk"

    assert "created" in server.kubectl("apply", "-f", "-", stdin=MANIFEST)
    took["pod answers"] = wait(
        lambda: _answers(f"http://127.0.0.1:{machine.forward[0]}/healthz"),
        BOOT_S,
        lambda: server.kubectl("describe", "pod", "page") + machine.said()[-2000:],
    )
    print({what: f"{seconds:.0f} s" for what, seconds in took.items()})

    assert "FAILED" not in machine.said()
    machine.stop()
    assert machine.read("status.txt").startswith("appliance: agent pi-vm is running")
    assert "\ntoken: (used)\n" in machine.read("appliance.yaml")
    machine.write("appliance.yaml", "role: agent\nhostname: pi vm\n")
    machine.serial.unlink()
    machine.start()
    machine.wait_for("appliance: appliance.yaml has 2 faults", BOOT_S)
    machine.wait_for("server: an agent needs one", 10)
    # It goes on as it was, with the certificates that it has, and brings its pods back.
    machine.wait_for("appliance: agent pi-vm is running", BOOT_S)
    back = wait(
        lambda: _answers(f"http://127.0.0.1:{machine.forward[0]}/healthz"),
        BOOT_S,
        lambda: server.kubectl("describe", "pod", "page") + machine.said()[-2000:],
    )
    print(f"after the plug was pulled: the pod answers {back:.0f} s after its node runs")
    machine.wait_for("OpenBSD Secure Shell server", BOOT_S)
    # The one unit that fails is the one that read the faulty file.
    assert machine.said().count("FAILED") == 1


@pytest.mark.parametrize("machine", [6443], indirect=True)
def test_an_image_that_nobody_edited_is_a_server(machine: Machine) -> None:
    machine.start()
    took = machine.wait_for("appliance: server appliance-", BOOT_S)
    took += machine.wait_for(" is running", BOOT_S)
    url = f"https://127.0.0.1:{machine.forward[0]}/readyz"
    took += wait(lambda: _answers(url), BOOT_S, lambda: machine.said()[-3000:])
    print(f"server ready after {took:.0f} s")
