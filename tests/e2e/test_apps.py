"""Deployments, daemon sets, stateful sets, jobs and cron jobs on real engines, by stock kubectl."""

import json
import shutil
from collections.abc import Iterator

import httpx
import pytest

from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually

IMAGE = shell_image.SHELL
TEMPLATE = """
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: {image}
        imagePullPolicy: IfNotPresent
        command: [sleep, "3600"]
"""
WORKLOAD = (
    """
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}}}
spec:
{more}
  selector: {{matchLabels: {{app: {name}}}}}
  template:"""
    + TEMPLATE
)
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: sum
        image: {image}
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "echo number $JOB_COMPLETION_INDEX"]
"""


def workload(kind: str, name: str, more: str = "") -> str:
    return WORKLOAD.format(kind=kind, name=name, more=more, image=IMAGE)


@pytest.fixture(scope="module", autouse=True)
def image(cluster: Cluster) -> None:
    shell_image.load(cluster.runtime)


@pytest.fixture
def gone(cluster: Cluster) -> Iterator[list[str]]:
    """What the test wants deleted at its end: `kind/name`."""
    names: list[str] = []
    yield names
    if names:
        cluster.kubectl("delete", *names, "--ignore-not-found", "--wait=false")


def test_a_deployment_rolls_stops_at_a_broken_image_and_goes_back(
    cluster: Cluster, gone: list[str]
) -> None:
    gone.append("deployment/roll")
    cluster.apply(workload("Deployment", "roll", "  replicas: 3\n  progressDeadlineSeconds: 5"))
    said = cluster.kubectl("rollout", "status", "deployment/roll", "--timeout=60s")
    assert "successfully rolled out" in said
    cluster.kubectl("set", "env", "deployment/roll", "COLOUR=blue")
    cluster.kubectl("rollout", "status", "deployment/roll", "--timeout=60s")
    eventually(lambda: len(cluster.pods("app=roll")) == 3)
    assert len(cluster.get("replicasets", "-l", "app=roll")["items"]) == 2

    cluster.kubectl("set", "image", "deployment/roll", "web=appliance.local/absent:1")
    done = cluster.run("rollout", "status", "deployment/roll", "--timeout=60s")
    assert done.returncode != 0
    assert "exceeded its progress deadline" in done.stderr
    assert len(cluster.running("app=roll")) >= 2

    cluster.kubectl("rollout", "undo", "deployment/roll")
    cluster.kubectl("rollout", "status", "deployment/roll", "--timeout=60s")
    eventually(lambda: len(cluster.running("app=roll")) == 3)
    (container,) = cluster.get("deployment", "roll")["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == (IMAGE, [{"name": "COLOUR", "value": "blue"}])
    history = cluster.kubectl("rollout", "history", "deployment/roll")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "3", "4"]


def test_deleting_a_deployment_takes_everything_along(cluster: Cluster, gone: list[str]) -> None:
    cluster.apply(workload("Deployment", "away", "  replicas: 2"))
    cluster.kubectl("rollout", "status", "deployment/away", "--timeout=60s")
    cluster.kubectl("delete", "deployment", "away", "--cascade=foreground", "--timeout=60s")
    assert cluster.get("replicasets", "-l", "app=away")["items"] == []
    eventually(lambda: cluster.pods("app=away") == [])
    assert gone == []


def test_a_daemon_set_is_on_the_node_and_rolls(cluster: Cluster, gone: list[str]) -> None:
    gone.append("daemonset/everywhere")
    cluster.apply(workload("DaemonSet", "everywhere"))
    cluster.kubectl("rollout", "status", "daemonset/everywhere", "--timeout=60s")
    (before,) = cluster.running("app=everywhere")
    cluster.kubectl("set", "env", "daemonset/everywhere", "COLOUR=blue")
    cluster.kubectl("rollout", "status", "daemonset/everywhere", "--timeout=60s")
    (after,) = cluster.running("app=everywhere")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    cluster.kubectl("rollout", "undo", "daemonset/everywhere")
    cluster.kubectl("rollout", "status", "daemonset/everywhere", "--timeout=60s")
    (container,) = cluster.get("daemonset", "everywhere")["spec"]["template"]["spec"]["containers"]
    assert "env" not in container


def test_a_stateful_set_has_names_that_last(cluster: Cluster, gone: list[str]) -> None:
    gone.append("statefulset/db")
    cluster.apply(workload("StatefulSet", "db", "  replicas: 2\n  serviceName: db"))
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
    assert sorted(p["metadata"]["name"] for p in cluster.running("app=db")) == ["db-0", "db-1"]
    assert cluster.kubectl("exec", "db-1", "--", "hostname").strip() == "db-1"
    before = cluster.get("pod", "db-0")["metadata"]["uid"]
    cluster.kubectl("delete", "pod", "db-0")
    eventually(lambda: {p["metadata"]["name"] for p in cluster.running("app=db")} >= {"db-0"})
    assert cluster.get("pod", "db-0")["metadata"]["uid"] != before


def test_a_job_counts_to_its_end(cluster: Cluster, gone: list[str]) -> None:
    gone.append("job/count")
    cluster.apply(JOB.format(name="count", image=IMAGE))
    cluster.kubectl("wait", "--for=condition=complete", "job/count", "--timeout=60s")
    status = cluster.get("job", "count")["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (3, "0-2")
    pods = cluster.get("pods", "-l", "job-name=count")["items"]
    said = {cluster.kubectl("logs", pod["metadata"]["name"]).strip() for pod in pods}
    assert said == {"number 0", "number 1", "number 2"}
    assert all("finalizers" not in pod["metadata"] for pod in pods)


def test_a_cron_job_makes_jobs_by_hand_too(cluster: Cluster, gone: list[str]) -> None:
    gone.extend(["cronjob/tick", "job/now"])
    command = ["create", "cronjob", "tick", f"--image={IMAGE}", "--schedule=0 0 1 1 *"]
    made = cluster.kubectl(*command, "--dry-run=client", "-o", "json", "--", "/bin/true")
    body = json.loads(made)
    template = body["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    template["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    cluster.apply(json.dumps(body))
    cluster.kubectl("create", "job", "now", "--from=cronjob/tick")
    cluster.kubectl("wait", "--for=condition=complete", "job/now", "--timeout=60s")
    assert cluster.get("cronjob", "tick")["status"].get("active") is None


def test_an_autoscaler_follows_the_load(cluster: Cluster, gone: list[str]) -> None:
    gone += ["deployment/burn", "hpa/burn"]
    cluster.apply(workload("Deployment", "burn"))
    # At its limit a shell burns twice what it asks for, and so twice what is wanted.
    burn = """[{"op": "replace", "path": "/spec/template/spec/containers/0/command",
      "value": ["sh", "-c", "while :; do :; done"]},
     {"op": "add", "path": "/spec/template/spec/containers/0/resources",
      "value": {"requests": {"cpu": "50m"}, "limits": {"cpu": "100m"}}}]"""
    cluster.kubectl("patch", "deployment", "burn", "--type=json", "-p", burn)
    cluster.kubectl("rollout", "status", "deployment/burn", "--timeout=60s")
    cluster.kubectl("autoscale", "deployment", "burn", "--cpu=100%", "--min=1", "--max=2")
    eventually(lambda: len(cluster.running("app=burn")) == 2, within_s=90)
    found = cluster.get("hpa", "burn")
    assert {c["type"]: c["status"] for c in found["status"]["conditions"]}[
        "ScalingActive"
    ] == "True"
    said = cluster.kubectl("get", "hpa", "burn")
    assert "Deployment/burn" in said
    assert "<unknown>" not in said


def test_manifests_in_the_servers_folder_are_applied_and_pruned(cluster: Cluster) -> None:
    folder = cluster.data / "server" / "manifests"
    (folder / "tray.yaml").write_text(workload("Deployment", "tray"))
    eventually(lambda: len(cluster.running("app=tray")) == 1)
    (noted,) = cluster.get("-n", "kube-system", "configmaps", "-l", "appliance.local/stack=tray")[
        "items"
    ]
    assert noted["data"]["state"] == "Applied"
    (folder / "tray.yaml").unlink()
    eventually(lambda: cluster.pods("app=tray") == [])
    assert cluster.get("deployments")["items"] == []


SITE = """
apiVersion: v1
kind: Service
metadata: {{name: site}}
spec: {{selector: {{app: site}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: site}}
spec:
  rules:
  - host: site.example
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: site, port: {{name: http}}}}}}}}]}}
"""  # noqa: E501 - one line per rule


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
def test_an_ingress_leads_requests_to_pods(cluster: Cluster, gone: list[str]) -> None:
    gone += ["deployment/site", "service/site", "ingress/site"]
    cluster.apply(workload("Deployment", "site"))
    serve = """[{"op": "replace", "path": "/spec/template/spec/containers/0/command",
      "value": ["sh", "-c", "mkdir /www; hostname >/www/index.html; httpd -f -p 8080 -h /www"]}]"""
    cluster.kubectl("patch", "deployment", "site", "--type=json", "-p", serve)
    cluster.apply(SITE.format())
    cluster.kubectl("rollout", "status", "deployment/site", "--timeout=60s")
    eventually(lambda: cluster.get("ingress", "site")["status"]["loadBalancer"].get("ingress"))
    assert cluster.get("ingress", "site")["spec"]["ingressClassName"] == "haproxy"

    def asked(host: str) -> httpx.Response:
        url = f"http://127.0.0.1:{cluster.ingress_port}/"
        return httpx.get(url, headers={"Host": host}, timeout=10, trust_env=False)

    eventually(lambda: asked("site.example").status_code == 200)
    (pod,) = cluster.running("app=site")
    assert asked("site.example").text.strip() == pod["metadata"]["name"]
    assert asked("other.example").status_code == 404
    cluster.kill()
    assert asked("site.example").text.strip() == pod["metadata"]["name"], "while no server runs"
    cluster.start()
    assert asked("site.example").text.strip() == pod["metadata"]["name"]
