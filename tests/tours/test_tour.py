"""A tour of kubectl's subcommands on a real cluster, for each kubectl that is given.

What is printed is compared with what upstream prints: messages, columns, exit codes. Nothing may
stand on stderr. `make tours KUBECTLS=<folder>`; not part of CI.
"""

import json
import re
import subprocess
import time

import pytest

from tests.lab.shell_image import SHELL, SHELL_2
from tests.tours.conftest import Guide
from tests.tours.manifests import hundred

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

WEB = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{app: web}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: {SHELL}
        command: [sh, -c, "echo hello; exec httpd -f -p 8080 -h /etc"]
        ports: [{{containerPort: 8080}}]
"""


def columns(text: str) -> list[str]:
    return re.split(r"\s{2,}", text.splitlines()[0].strip())


def test_looking_around(guide: Guide) -> None:
    told = guide.run("version").stdout  # newer ones warn that the server is much newer or older
    assert re.search(r"v1\.36\.", told), "the server's version"
    assert "Kubernetes control plane" in guide("cluster-info")
    listed = guide("api-resources")
    head = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    assert listed.splitlines()[0].split() == head
    assert "apps/v1\n" in guide("api-versions")
    assert "current-context: " in guide("config", "view", "--minify")
    for words in (("options",), ("completion", "bash"), ("plugin", "list")):
        done = guide.run(*words)
        assert done.returncode == (1 if words[0] == "plugin" else 0)


def test_everything_is_explained(guide: Guide) -> None:
    for line in guide("api-resources", "--no-headers").splitlines():
        name, *_, version, _namespaced, kind = line.split()
        if version.startswith("metrics.k8s.io"):
            continue  # nobody describes usage, upstream neither
        told = guide("explain", name, f"--api-version={version}", "--recursive")
        assert re.search(rf"KIND:\s+{kind}\n", told), line
        assert "apiVersion\t<string>" in told


def test_making_things(guide: Guide) -> None:
    made = {
        "configmap a --from-literal=k=v": "configmap/a created",
        "secret generic s --from-literal=k=v": "secret/s created",
        "serviceaccount robot": "serviceaccount/robot created",
        "deployment d --image=i --replicas=0": "deployment.apps/d created",
        "job j --image=i -- true": "job.batch/j created",
        "cronjob c --image=i --schedule=0_0_1_1_*": "cronjob.batch/c created",
        "role r --verb=get --resource=pods": "role.rbac.authorization.k8s.io/r created",
        "rolebinding b --role=r --user=u": "rolebinding.rbac.authorization.k8s.io/b created",
        "quota q --hard=pods=99": "resourcequota/q created",
        "service clusterip one --tcp=80:80": "service/one created",
        "service nodeport two --tcp=80:80": "service/two created",
        "service externalname three --external-name=a.example": "service/three created",
        "poddisruptionbudget p --selector=a=b --min-available=1": (
            "poddisruptionbudget.policy/p created"
        ),
        "ingress i --rule=a.example/=one:80": "ingress.networking.k8s.io/i created",
    }
    for words, told in made.items():
        if guide.minor < 22 and words.split()[0] in {"poddisruptionbudget", "cronjob"}:
            continue  # these kubectls speak of versions that are gone, upstream's as ours
        argv = ["create", *(w.replace("_", " ") for w in words.split())]
        assert guide(*argv) == f"{told}\n"
    assert guide.fails("create", "configmap", "a") == (
        'error: failed to create configmap: configmaps "a" already exists\n'
        if guide.minor > 20
        else 'Error from server (AlreadyExists): configmaps "a" already exists\n'
    )
    if guide.minor >= 24:
        assert guide("create", "token", "robot").count(".") == 2
    dry = guide("create", "configmap", "dry", "--dry-run=server")
    assert dry == "configmap/dry created (server dry run)\n"
    assert 'configmaps "dry" not found' in guide.fails("get", "configmap", "dry")
    guide(
        "delete", "deployment,job,configmap,secret,service,role,rolebinding,quota,ingress", "--all"
    )


def test_running_things(guide: Guide) -> None:
    assert guide("apply", "-f", "-", stdin=WEB) == "deployment.apps/web created\n"
    assert guide("apply", "-f", "-", stdin=WEB) == "deployment.apps/web unchanged\n"
    told = guide("rollout", "status", "deployment/web", "--timeout=60s")
    assert told.endswith('deployment "web" successfully rolled out\n')
    assert columns(guide("get", "deployments")) == [
        "NAME",
        "READY",
        "UP-TO-DATE",
        "AVAILABLE",
        "AGE",
    ]
    assert re.search(r"^web\s+2/2\s+2\s+2\s+\d+s$", guide("get", "deployments"), re.MULTILINE)
    wide = columns(guide("get", "pods", "-l", "app=web", "-o", "wide"))
    assert wide[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert guide("get", "deployment", "web", "-o", "name") == "deployment.apps/web\n"
    pod = guide("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
    for words in (["deployment/web"], ["pod", pod], ["node"], ["namespace", guide.namespace]):
        assert re.search(r"^Name:\s+", guide("describe", *words))
    assert guide("logs", pod) == "hello\n"
    one = guide.run("logs", "deployment/web", "--tail=1")
    assert (one.returncode, one.stdout) == (0, "hello\n")
    assert re.fullmatch(r"Found 2 pods, using pod/web-\S+\n", one.stderr)
    assert guide("exec", pod, "--", "echo", "hi") == "hi\n"
    assert guide("exec", pod, "-i", "--", "cat", stdin="typed") == "typed"
    failed = guide.run("exec", pod, "--", "sh", "-c", "exit 3")
    assert (failed.returncode, "exit code 3" in failed.stderr) == (3, True)
    assert columns(guide.until("Scheduled", "get", "events"))[:3] == ["LAST SEEN", "TYPE", "REASON"]
    if guide.minor >= 26:
        assert columns(guide("events"))[:3] == ["LAST SEEN", "TYPE", "REASON"]
    assert guide("wait", "--for=condition=Available", "deployment/web") == (
        "deployment.apps/web condition met\n"
    )


def test_changing_things(guide: Guide) -> None:
    changed = "deployment.apps/web"
    assert guide("scale", "deployment/web", "--replicas=1") == f"{changed} scaled\n"
    assert guide("label", "deployment/web", "a=b") == f"{changed} labeled\n"
    relabelled = "unlabeled" if guide.minor > 22 else "labeled"
    assert guide("label", "deployment/web", "a-") == f"{changed} {relabelled}\n"
    assert guide("annotate", "deployment/web", "a=b") == f"{changed} annotated\n"
    assert (
        guide("set", "image", "deployment/web", f"main={SHELL_2}") == f"{changed} image updated\n"
    )
    assert guide("set", "env", "deployment/web", "A=B") == f"{changed} env updated\n"
    assert guide("set", "resources", "deployment/web", "--limits=cpu=1") == (
        f"{changed} resource requirements updated\n"
    )
    patch = '{"spec":{"minReadySeconds":0,"revisionHistoryLimit":5}}'
    for how in ("strategic", "merge"):
        said = guide("patch", "deployment/web", f"--type={how}", "-p", patch)
        assert said.startswith(f"{changed} patched")
    jsonpatch = '[{"op":"replace","path":"/spec/revisionHistoryLimit","value":6}]'
    assert (
        guide("patch", "deployment/web", "--type=json", "-p", jsonpatch) == f"{changed} patched\n"
    )
    _ = guide("rollout", "status", "deployment/web", "--timeout=60s")
    assert columns(guide("rollout", "history", "deployment/web").partition("\n")[2]) == [
        "REVISION",
        "CHANGE-CAUSE",
    ]
    undone = guide.run("rollout", "undo", "deployment/web")  # 1.37 warns of its last-applied
    assert (undone.returncode, undone.stdout) == (0, f"{changed} rolled back\n")
    assert guide("rollout", "pause", "deployment/web") == f"{changed} paused\n"
    assert guide("rollout", "resume", "deployment/web") == f"{changed} resumed\n"
    assert guide("rollout", "restart", "deployment/web") == f"{changed} restarted\n"
    _ = guide("rollout", "status", "deployment/web", "--timeout=60s")
    assert guide("autoscale", "deployment/web", "--max=3") == (
        "horizontalpodautoscaler.autoscaling/web autoscaled\n"
    )
    assert guide("expose", "deployment", "web", "--port=80", "--target-port=8080") == (
        "service/web exposed\n"
    )
    edited = guide(
        "edit",
        "deployment/web",
        KUBE_EDITOR="sed -i s/revisionHistoryLimit:.*/revisionHistoryLimit:\\ 7/",
    )
    assert edited == f"{changed} edited\n"
    whole = guide("get", "deployment", "web", "-o", "json")
    assert guide("replace", "-f", "-", stdin=whole) == f"{changed} replaced\n"
    assert '"replicas"' in guide("apply", "view-last-applied", "deployment/web", "-o", "json")
    assert guide.run("diff", "-f", "-", stdin=WEB).returncode == 1, "what was changed is shown"


def test_pods_by_hand(guide: Guide) -> None:
    argv = ("run", "lone", f"--image={SHELL}", "--restart=Never", "--command", "--", "sleep", "600")
    assert guide(*argv) == "pod/lone created\n"
    assert guide("wait", "--for=condition=Ready", "pod/lone", "--timeout=40s") == (
        "pod/lone condition met\n"
    )
    cp = guide.home / "file"
    cp.write_text("copied")
    # without tar in the image it cannot work, and kubectl says so as ever
    copied = guide.run("cp", str(cp), "lone:/tmp/file")
    assert (copied.returncode != 0, "tar" in copied.stdout + copied.stderr) == (True, True)
    forwarding = subprocess.Popen(
        [guide.program, "-n", guide.namespace, "port-forward", "deployment/web", ":8080"],
        env={"HOME": str(guide.home), "KUBECONFIG": str(guide.cluster.kubeconfig), "PATH": "/bin"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert forwarding.stdout is not None
        line = forwarding.stdout.readline()
        found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080", line)
        assert found, line
        url = f"http://127.0.0.1:{found[1]}/passwd"
        got = subprocess.run(
            ["curl", "-s", "--max-time", "20", url], capture_output=True, text=True
        )
        assert "root" in got.stdout
    finally:
        forwarding.terminate()
        forwarding.wait(10)
        forwarding.stdout.close()
    guide.used.add("port-forward")
    assert guide("delete", "pod", "lone", "--grace-period=1").startswith('pod "lone" deleted')
    assert 'pods "lone" not found' in guide.fails("get", "pod", "lone")


def test_who_may_what(guide: Guide) -> None:
    assert guide("auth", "can-i", "delete", "pods") == "yes\n"
    assert "Resources" in guide("auth", "can-i", "--list")
    nobody = guide.run("auth", "can-i", "delete", "pods", "--as=nobody")
    assert (nobody.returncode, nobody.stdout) == (1, "no\n")
    if guide.minor >= 28:
        assert "Username" in guide("auth", "whoami")
    assert guide.fails("get", "secrets", "--as=nobody").startswith(
        'Error from server (Forbidden): secrets is forbidden: User "nobody" cannot list resource'
    )
    node = guide("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    assert guide("cordon", node) == f"node/{node} cordoned\n"
    assert guide("uncordon", node) == f"node/{node} uncordoned\n"
    assert guide("taint", "nodes", node, "a=b:NoSchedule") == f"node/{node} tainted\n"
    assert guide("taint", "nodes", node, "a-") == f"node/{node} untainted\n"
    drained = guide.run("drain", node, "--dry-run=client", "--ignore-daemonsets", "--force")
    assert drained.returncode == 0
    assert columns(guide("get", "nodes")) == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]


def test_a_hundred_manifests_twice(guide: Guide) -> None:
    text = hundred(knows_cron_jobs=guide.minor > 20)
    first = guide("apply", "-f", "-", stdin=text).splitlines()
    assert len(first) == 100
    assert {line.rsplit(" ", 1)[1] for line in first} == {"created"}
    second = guide("apply", "-f", "-", stdin=text).splitlines()
    assert [line for line in second if not line.endswith(" unchanged")] == []
    assert guide("diff", "-f", "-", stdin=text) == ""
    _ = guide("delete", "-f", "-", "--wait=false", stdin=text)


def test_applying_on_the_server(guide: Guide) -> None:
    text = json.dumps({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "shared"},
        "data": {"a": "1"},
    })  # fmt: skip
    applied = "configmap/shared serverside-applied\n"
    assert guide("apply", "--server-side", "-f", "-", stdin=text) == applied
    other = text.replace('"1"', '"2"')
    said = guide.fails("apply", "--server-side", "--field-manager=m2", "-f", "-", stdin=other)
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .data.a' in said
    assert "--force-conflicts" in said
    forced = guide(
        "apply", "--server-side", "--force-conflicts", "--field-manager=m2", "-f", "-", stdin=other
    )
    assert forced == applied
    assert guide("get", "configmap", "shared", "-o", "jsonpath={.data.a}") == "2"
    assert guide("diff", "--server-side", "--field-manager=m2", "-f", "-", stdin=other) == ""


def test_proxying(guide: Guide) -> None:
    proxy = subprocess.Popen(
        [guide.program, "proxy", "--port=0"],
        env={"HOME": str(guide.home), "KUBECONFIG": str(guide.cluster.kubeconfig), "PATH": "/bin"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert proxy.stdout is not None
        address = proxy.stdout.readline().rsplit(" ", 1)[1].strip()
        path = f"/api/v1/namespaces/{guide.namespace}/services/web/proxy/passwd"
        end = time.monotonic() + 30
        while True:
            argv = ["curl", "-s", "--max-time", "10", f"http://{address}{path}"]
            got = subprocess.run(argv, capture_output=True, text=True)
            if "root" in got.stdout:
                break
            assert time.monotonic() < end, got.stdout
    finally:
        proxy.terminate()
        proxy.wait(10)
        proxy.stdout.close()
    guide.used.add("proxy")


def test_nothing_was_left_out(guide: Guide) -> None:
    """Every subcommand that kubectl's help names was on the tour, but for these."""
    told = guide.run("help").stdout
    named = set(re.findall(r"^  ([a-z-]+)\s{2,}", told, re.MULTILINE))
    elsewhere = {
        *("attach", "debug", "certificate", "kuberc", "top", "kustomize", "alpha", "convert"),
        *("help", "config", "options", "completion", "plugin", "delete", "cluster-info"),
    }
    assert named - guide.used - elsewhere == set()
