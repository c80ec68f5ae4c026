"""A pod's own program talks to the API with the token that it finds, and roles decide."""

import asyncio
import json
import platform
from typing import Any

import pytest

from appliance.kit.clock import SystemClock
from appliance.node.images.archive import File, docker_archive
from appliance.node.runtimes.detect import default_endpoint, open_runtime
from examples.guestbook.images.closure import PYTHON_HOME, python_with
from tests.lab.cluster import Cluster, eventually

IMAGE = "appliance.local/e2e-api-caller:1"
SCRIPT = """
import json
import os
import ssl
import urllib.error
import urllib.request

folder = "/var/run/secrets/kubernetes.io/serviceaccount"
token = open(folder + "/token").read()
namespace = open(folder + "/namespace").read()
context = ssl.create_default_context(cafile=folder + "/ca.crt")
server = "https://%s:%s" % (os.environ["KUBERNETES_SERVICE_HOST"],
                            os.environ["KUBERNETES_SERVICE_PORT"])


def ask(path, token):
    request = urllib.request.Request(server + path)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        return urllib.request.urlopen(request, context=context, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code


print(json.dumps({
    "namespace": namespace,
    "own pods": ask("/api/v1/namespaces/%s/pods" % namespace, token),
    "own secrets": ask("/api/v1/namespaces/%s/secrets" % namespace, token),
    "other pods": ask("/api/v1/namespaces/kube-system/pods", token),
    "discovery": ask("/apis", token),
    "nobody": ask("/api/v1/namespaces/%s/pods" % namespace, ""),
    "changed": ask("/apis", token[:-8] + "AAAAAAAA"),
}), flush=True)
"""
MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: caller}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: caller}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: caller}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: caller}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: robot}]
---
apiVersion: v1
kind: Pod
metadata: {name: caller, namespace: caller}
spec:
  serviceAccountName: robot
  restartPolicy: Never
  containers: [{name: c, image: "%s", imagePullPolicy: Never}]
"""


async def load(kind: str) -> None:
    modules = ("encodings.idna", "encodings.latin_1", "encodings.ascii", "encodings.utf_8")
    files = await python_with(SCRIPT, modules)
    files |= {
        "/app.py": File(SCRIPT.encode()),
        "/etc/passwd": File(b"root:x:0:0:root:/:/bin/false\n"),
        "/etc/nsswitch.conf": File(b"hosts: files dns\n"),
    }
    config = {"Entrypoint": [f"{PYTHON_HOME}/bin/python3", "-I", "-S", "/app.py"]}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    runtime = await open_runtime(kind, default_endpoint(kind), SystemClock())
    try:
        await runtime.load(docker_archive(IMAGE, files, architecture=machine, config=config))
    finally:
        await runtime.close()


@pytest.mark.conformance(165, 166)
@pytest.mark.slow
def test_a_pod_may_do_what_its_account_may(cluster: Cluster) -> None:
    asyncio.run(load(cluster.runtime))
    cluster.apply(MANIFEST % IMAGE)

    def ended() -> Any:
        pod = cluster.get("pod", "caller", "-n", "caller")
        return pod["status"].get("phase") in {"Succeeded", "Failed"}

    eventually(ended)
    words = json.loads(cluster.kubectl("logs", "caller", "-n", "caller"))
    assert words == {
        "namespace": "caller",
        "own pods": 200,
        "own secrets": 403,
        "other pods": 403,
        "discovery": 200,
        "nobody": 403,
        "changed": 401,
    }
    cluster.kubectl("delete", "namespace", "caller", "--wait=false")
