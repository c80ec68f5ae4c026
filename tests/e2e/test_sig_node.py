"""What conformance asks of a node's pods, by the numbers of the suite of 1.36, in our words.

A table: one pod per case, all started at once, each judged by what it wrote or how it ended.
"""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from typing_extensions import override

from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually
from tests.lab.pods import Json, Status, box, many, pod
from tests.lab.shell_image import SHELL

pytestmark = pytest.mark.slow  # `make e2e`: CI has no room for both engines
IDLE = "trap exit TERM; while :; do usleep 200000; done"
QUICK = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 2}
NEVER = {"restartPolicy": "Never"}


@dataclass(frozen=True)
class Case:
    """A pod of its own name, and what its containers write before it ends."""

    numbers: tuple[int, ...]
    pod: Json
    logs: dict[str, str] = field(default_factory=dict)
    """By container: all of its log."""
    holds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By container: lines of its log."""
    phase: str = "Succeeded"
    check: Callable[[Status], bool] | None = None

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])


def case(numbers: tuple[int, ...], name: str, *boxes: Json, **more: Any) -> Case:
    judged = {k: more.pop(k) for k in ("logs", "holds", "phase", "check") if k in more}
    return Case(numbers, pod(name, *boxes, **(NEVER | more)), **judged)


def own(name: str, **fields: Any) -> Json:
    """A container with the image's command, unless told otherwise."""
    return {"name": name, "image": SHELL, "imagePullPolicy": "IfNotPresent", **fields}


def from_field(name: str, path: str) -> Json:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def from_resource(name: str, what: str) -> Json:
    return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": what}}}


def message(text: str) -> Callable[[Status], bool]:
    return lambda status: status.ended("a").get("message", "") == text


OBJECTS: list[Json] = [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "env-map"},
     "data": {"one": "1", "two": "2"}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "env-secret"},
     "stringData": {"key": "hidden"}},
]  # fmt: skip
SIZES = {
    "requests": {"cpu": "250m", "memory": "32Mi"},
    "limits": {"cpu": "1250m", "memory": "64Mi"},
}
DEADLINE = "Pod was active on the node longer than the specified deadline"


def cases() -> list[Case]:
    env_map = {"configMapRef": {"name": "env-map"}}
    env_secret = {"secretRef": {"name": "env-secret"}}
    volume = [{"name": "v", "emptyDir": {}}]
    return [
        case((238, 239, 240, 319, 320, 321), "env-sources", own("a", command=["env"], envFrom=[
                env_map, {"prefix": "p-", **env_map}, {"prefix": "%1.", **env_secret}, env_secret],
                env=[{"name": "X", "valueFrom": {"configMapKeyRef": {
                        "name": "env-map", "key": "two"}}},
                     {"name": "Y", "valueFrom": {"secretKeyRef": {
                        "name": "env-secret", "key": "key"}}},
                     {"name": "Z", "valueFrom": {"secretKeyRef": {
                        "name": "none", "key": "key", "optional": True}}}]),
             holds={"a": ("one=1", "two=2", "p-one=1", "%1.key=hidden", "key=hidden", "X=2",
                          "Y=hidden")}),
        case((257,), "env-sizes", box("a", "echo $A $B $C $D", resources=SIZES, env=[
                from_resource("A", "limits.cpu"), from_resource("B", "limits.memory"),
                from_resource("C", "requests.cpu"), from_resource("D", "requests.memory")]),
             logs={"a": f"2 {64 << 20} 1 {32 << 20}\n"}),
        case((248,), "message-none", box("a", "echo said",
                terminationMessagePolicy="FallbackToLogsOnError"), check=message("")),
        case((249,), "message-file", box("a", "printf OK > /dev/termination-log",
                terminationMessagePolicy="FallbackToLogsOnError"), check=message("OK")),
        case((250,), "message-log", box("a", "printf DONE; exit 1",
                terminationMessagePolicy="FallbackToLogsOnError"),
             phase="Failed", check=message("DONE")),
        case((251,), "message-path", box("a", "printf DONE > /dev/other-log",
                terminationMessagePath="/dev/other-log", securityContext={"runAsUser": 1000}),
             check=message("DONE")),
        case((253, 254, 255, 256), "commands", own("image"), own("args", args=["mine"]),
             own("command", command=["/bin/printf", "only\\n"]),
             own("both", command=["/bin/echo", "command"], args=["args"]),
             logs={"image": "entry cmd\n", "args": "entry mine\n", "command": "only\n",
                   "both": "command args\n"}),
        case((266, 267), "init", box("a", "cat /v/n", volumeMounts=[mount("/v")]),
             initContainers=[box(f"i{n}", f"echo {n} >> /v/n", volumeMounts=[mount("/v")])
                             for n in (1, 2)],
             volumes=volume, logs={"a": "1\n2\n"}),
        case((268,), "init-fails", box("a", "true"), initContainers=[box("i", "exit 1")],
             phase="Failed", check=lambda s: "containerID" not in s["a"]),
        case((269,), "init-again", box("a", "true"), initContainers=[box("i", "exit 1")],
             restartPolicy="Always", phase="Pending",
             check=lambda s: s.restarts("i") >= 1 and "containerID" not in s["a"]),
        case((270,), "logs", box("a", "echo one; echo two >&2"), holds={"a": ("one", "two")}),
        case((272,), "fails", box("a", "false"), phase="Failed",
             check=lambda s: s.ended("a")["reason"] == "Error"),
        case((273, 326), "read-only-root",
             box("a", "touch /x || echo no", securityContext={"readOnlyRootFilesystem": True}),
             box("b", "touch /x && echo yes", securityContext={"readOnlyRootFilesystem": False}),
             holds={"a": ("no",)}, logs={"b": "yes\n"}),
        case((274, 275), "hosts", box("a", "cat /etc/hosts"),
             box("b", "cat /etc/hosts", volumeMounts=[mount("/etc/hosts", subPath="hosts")]),
             initContainers=[box("i", "echo mine > /v/hosts", volumeMounts=[mount("/v")])],
             hostAliases=[{"ip": "192.0.2.9", "hostnames": ["foo.local", "bar.local"]}],
             volumes=volume, logs={"b": "mine\n"},
             holds={"a": ("# Kubernetes-managed hosts file.", "192.0.2.9\tfoo.local\tbar.local")}),
        case((292,), "guaranteed", box("a", "true", resources={
                "limits": {"cpu": "100m", "memory": "32Mi"}}),
             check=lambda s: s.all["qosClass"] == "Guaranteed"),
        case((324, 327, 328, 329, 325), "users",
             box("a", "id -u; id -g"),
             box("b", "id -u; id -g", securityContext={"runAsUser": 65534, "runAsGroup": 3}),
             box("c", "grep NoNewPrivs /proc/self/status",
                 securityContext={"allowPrivilegeEscalation": False}),
             box("d", "ip link add x0 type dummy || echo refused",
                 securityContext={"privileged": False, "runAsUser": 0}),
             securityContext={"runAsUser": 1001, "runAsGroup": 2002},
             logs={"a": "1001\n2002\n", "b": "65534\n3\n", "c": "NoNewPrivs:\t1\n"},
             holds={"d": ("refused",)}),
        case((331,), "sysctls", box("a", "cat /proc/sys/kernel/shm_rmid_forced"),
             securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]},
             logs={"a": "1\n"}),
        case((332, 333, 334), "expansion",
             own("a", command=["/bin/echo"], args=["$(ALL) $$(A) $(NONE)"], env=[
                {"name": "A", "value": "a"}, {"name": "B", "value": "b"},
                {"name": "ALL", "value": "$(A);$(B)"}]),
             own("b", command=["/bin/echo", "$(A)"], env=[{"name": "A", "value": "a"}]),
             logs={"a": "a;b $(A) $(NONE)\n", "b": "a\n"}),
        case((335, 338), "subpath-expr",
             box("a", "echo x > /mine/f; ls /all/expr; cat /all/expr/f",
                 env=[from_field("NAME", "metadata.annotations['dir']")],
                 volumeMounts=[mount("/mine", subPathExpr="$(NAME)"), mount("/all")]),
             volumes=volume, logs={"a": "f\nx\n"}),
        case((336,), "subpath-absolute",
             box("a", "true", env=[{"name": "NAME", "value": "/tmp"}],
                 volumeMounts=[mount("/mine", subPathExpr="$(NAME)")]),
             volumes=volume, phase="Pending",
             check=lambda s: s.waiting("a") == "CreateContainerConfigError"),
        case((304, 306, 307, 312, 313), "healthy",
             box("a", f"touch /tmp/health; httpd -p 8080 -h /tmp; {IDLE}",
                 startupProbe={"tcpSocket": {"port": 8080}, **QUICK, "failureThreshold": 30},
                 livenessProbe={"httpGet": {"path": "/health", "port": 8080}, **QUICK},
                 readinessProbe={"tcpSocket": {"port": 8080}, **QUICK, "initialDelaySeconds": 3}),
             box("b", f"touch /tmp/health; {IDLE}",
                 livenessProbe={"exec": {"command": ["cat", "/tmp/health"]}, **QUICK,
                                "initialDelaySeconds": 1}),
             box("never-ready", IDLE,
                 readinessProbe={"exec": {"command": ["false"]}, **QUICK}),
             phase="Running",
             check=lambda s: bool(s["a"].get("ready") and s["b"].get("ready"))
                and not s["never-ready"]["ready"]
                and not any(s.restarts(n) for n in ("a", "b", "never-ready"))),
        case((293,), "deadline", box("a", IDLE), phase="Running"),
        case((265,), "sidecar", box("a", "until wget -q -O- http://127.0.0.1:8080/passwd; do"
                                    " usleep 100000; done"),
             initContainers=[box("side", "httpd -f -p 8080 -h /etc", restartPolicy="Always")],
             holds={"a": ("root:x:0:0::/:/bin/sh",)}),
    ]  # fmt: skip


def mount(path: str, **more: Any) -> Json:
    return {"name": "v", "mountPath": path, **more}


CASES = {one.name: one for one in cases()}
CASES["subpath-expr"].pod["metadata"]["annotations"] = {"dir": "expr"}


class Listener:
    """A web server of this host that remembers who was asked for."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.paths.append(self.path)
                self.send_response(200)
                self.end_headers()

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def get(self, path: str) -> Json:
        return {"httpGet": {"host": "127.0.0.1", "port": self.server.server_port, "path": path}}


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.fixture(scope="module")
def pods(cluster: Cluster, listener: Listener) -> Iterator[Cluster]:
    shell_image.load(cluster.runtime)
    hooked = pod(
        "http-hooks",
        box(
            "a",
            IDLE,
            lifecycle={"postStart": listener.get("/started"), "preStop": listener.get("/stopping")},
        ),
    )
    down = [from_field("NAME", "metadata.name"), from_field("SPACE", "metadata.namespace"),
            from_field("IP", "status.podIP"), from_field("HOST", "status.hostIP"),
            from_field("HOSTS", "status.hostIPs"), from_field("UID_OF", "metadata.uid"),
            from_resource("CPU", "limits.cpu"),
            from_resource("MEMORY", "limits.memory")]  # fmt: skip
    script = "echo $NAME $SPACE $IP $HOST $HOSTS $UID_OF $CPU $MEMORY"
    downward = pod("downward", box("a", script, env=down), **NEVER)
    hosted = pod("host-network", box("a", "cat /etc/hosts"), hostNetwork=True, **NEVER)
    crowd = [*OBJECTS, *(one.pod for one in CASES.values()), hooked, downward, hosted]
    cluster.apply(many(*crowd))
    yield cluster
    cluster.kubectl("delete", "configmap/env-map", "secret/env-secret")
    cluster.kubectl("delete", "pods", "-l", "pod", "--grace-period=1")


@pytest.mark.parametrize("name", CASES)
def test_case(pods: Cluster, name: str) -> None:
    wanted = CASES[name]

    def arrived() -> bool:
        found = Status(pods, name)
        return found.phase == wanted.phase and (wanted.check is None or wanted.check(found))

    try:
        eventually(arrived)
    except AssertionError as late:
        raise AssertionError(json.dumps(Status(pods, name).all, indent=1)) from late
    for container, text in wanted.logs.items():
        assert pods.kubectl("logs", name, "-c", container) == text
    for container, lines in wanted.holds.items():
        said = pods.kubectl("logs", name, "-c", container).splitlines()
        assert set(lines) - set(said) == set()


def test_244_to_247_and_303_hooks(pods: Cluster, listener: Listener) -> None:
    """Conformance 245, 247 and 303: hooks by HTTP; those by exec are in `test_seed_pods`."""
    eventually(lambda: Status(pods, "http-hooks").ready())
    assert listener.paths == ["/started"]
    pods.kubectl("delete", "pod", "http-hooks")
    assert listener.paths == ["/started", "/stopping"]


def test_258_to_262_downward_variables(pods: Cluster) -> None:
    """Conformance 258 to 262."""
    eventually(lambda: Status(pods, "downward").phase == "Succeeded")
    status = Status(pods, "downward")
    node = pods.get("node", pods.node)["status"]["allocatable"]
    name, space, ip, host, hosts, uid, cpu, memory = pods.kubectl("logs", "downward").split()
    assert (name, space, uid) == ("downward", "default", status.uid)
    assert (ip, host, hosts) == (status.ip, status.all["hostIP"], status.all["hostIP"])
    assert cpu == node["cpu"]
    assert int(memory) == int(node["memory"].removesuffix("Ki")) * 1024


def test_275_the_hosts_file_on_the_hosts_network_is_the_hosts(pods: Cluster) -> None:
    """Conformance 275."""
    eventually(lambda: Status(pods, "host-network").phase == "Succeeded")
    assert "Kubernetes-managed" not in pods.kubectl("logs", "host-network")


def test_293_a_deadline_can_be_set_later(pods: Cluster) -> None:
    """Conformance 293."""
    eventually(lambda: Status(pods, "deadline").ready())
    pods.kubectl("patch", "pod", "deadline", "-p", '{"spec": {"activeDeadlineSeconds": 1}}')
    eventually(lambda: Status(pods, "deadline").phase == "Failed")
    ended = Status(pods, "deadline").all
    assert (ended["reason"], ended["message"]) == ("DeadlineExceeded", DEADLINE)
