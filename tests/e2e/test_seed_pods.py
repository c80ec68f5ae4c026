"""Pods as the first documentation promises them; rows of docs/promises.md in the marks.

All pods of this file are started at once, by the first test that needs one.
"""

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Runtime, State
from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually, free_port
from tests.lab.pods import Json, Status, behind, box, containers, events, many, pod, running
from tests.lab.shell_image import SHELL, SHELL_2

IDLE = "while :; do sleep 1; done"
QUICK = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 2}
HOST_PORT = free_port()


def folder(tmp: Path) -> Json:
    return {"name": "host", "hostPath": {"path": str(tmp), "type": "Directory"}}


def seen_at(path: str, **more: object) -> list[Json]:
    return [{"name": "v", "mountPath": path, **more}]


def crowd(tmp: Path) -> list[Json]:
    """Everything that may run side by side."""
    shared = [{"name": "v", "emptyDir": {}}]
    policies = ("Always", "OnFailure", "Never")
    return [
        pod("pair",
            box("a", "echo host $(hostname); httpd -f -p 127.0.0.1:9000 -h /etc"),
            box("b", "echo host $(hostname); until wget -q -O- http://127.0.0.1:9000/passwd;"
                     " do usleep 100000; done; httpd -f -p 127.0.0.1:9000 || echo port taken;"
                     f" {IDLE}")),
        pod("behind", box("a", IDLE), box("b", IDLE)),
        pod("sandbox", box("a", IDLE), box("b", IDLE)),
        pod("image", box("a", IDLE), box("b", IDLE)),
        pod("nowhere", box("a", IDLE), nodeSelector={"no": "such-node"}),
        pod("no-image", box("a", IDLE, image="appliance.local/none:1", imagePullPolicy="Never")),
        pod("no-registry", box("a", IDLE, image="appliance.invalid/none:1")),
        pod("halves", box("a", "false"), box("b", IDLE)),
        pod("good", box("a", "true"), restartPolicy="Never"),
        pod("bad", box("a", "echo why > /dev/termination-log; exit 3"), restartPolicy="Never"),
        pod("again-0", box("a", "exit 0")),
        pod("again-1", box("a", "echo said; exit 1")),
        pod("thrice", box("a", "echo x >> /v/n; [ $(wc -l < /v/n) -ge 3 ]",
                          volumeMounts=seen_at("/v")),
            restartPolicy="OnFailure", volumes=shared),
        *(pod(f"cell-{policy.lower()}", box("a", "exit 1"), box("b", "sleep 4; exit 1"),
              restartPolicy=policy) for policy in policies),
        pod("http-probe",
            box("a", "mkdir /tmp/w; touch /tmp/w/ok; httpd -p 8080 -h /tmp/w; sleep 3;"
                     f" rm /tmp/w/ok; {IDLE}",
                ports=[{"containerPort": 8080, "name": "web"}],
                livenessProbe={"httpGet": {"path": "/ok", "port": "web"}, **QUICK,
                               "initialDelaySeconds": 1}),
            box("sibling", IDLE)),
        pod("exec-probe", box("a", f"touch /tmp/health; sleep 3; rm /tmp/health; {IDLE}",
            livenessProbe={"exec": {"command": ["cat", "/tmp/health"]}, **QUICK,
                           "initialDelaySeconds": 1})),
        pod("tcp-probe", box("a", f"httpd -p 8080 -h /etc; sleep 3; killall httpd; {IDLE}",
            livenessProbe={"tcpSocket": {"port": 8080}, **QUICK, "initialDelaySeconds": 1})),
        pod("delay", box("a", IDLE,
            livenessProbe={"exec": {"command": ["false"]}, **QUICK, "initialDelaySeconds": 4})),
        pod("ready", box("a", f"httpd -p 8080 -h /etc; touch /tmp/ready; {IDLE}",
            readinessProbe={"exec": {"command": ["cat", "/tmp/ready"]}, **QUICK})),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ready"},
         "spec": {"selector": {"pod": "ready"}, "ports": [{"port": 80, "targetPort": 8080}]}},
        pod("post-start", box("a", IDLE, lifecycle={"postStart": {"exec": {"command": ["false"]}}}),
            box("b", f"echo main; {IDLE}", volumeMounts=seen_at("/v"),
                lifecycle={"postStart": {"exec": {"command": ["touch", "/v/hooked"]}}}),
            volumes=shared),
        pod("pre-stop", box("a", IDLE, volumeMounts=[{"name": "host", "mountPath": "/host"}],
            lifecycle={"preStop": {"exec": {"command": ["touch", "/host/stopped"]}}}),
            volumes=[folder(tmp)], terminationGracePeriodSeconds=3),
        pod("words", box("a", "", command=["echo"], args=["$(GREETING) $HOME $$(GREETING)"],
                         env=[{"name": "GREETING", "value": "hello"}]),
            box("own", "", command=None), restartPolicy="Never"),
        pod("env", box("a", "echo $KUBERNETES_SERVICE_HOST/$EMPTY/$FROM_IMAGE; pwd",
                       env=[{"name": "KUBERNETES_SERVICE_HOST", "value": "x"}, {"name": "EMPTY"}],
                       workingDir="/bin"), restartPolicy="Never"),
        pod("published", box("a", "httpd -f -p 80 -h /etc",
                             ports=[{"containerPort": 80, "hostPort": HOST_PORT}])),
        pod("limits", box("a", IDLE, resources={
            "requests": {"cpu": "250m"}, "limits": {"cpu": "500m", "memory": "64Mi"}})),
        pod("kept", box("a", f"echo $(cat /v/n)x > /v/n; {IDLE}", volumeMounts=seen_at("/v")),
            box("b", IDLE, volumeMounts=seen_at("/elsewhere")), volumes=[{"name": "v"}]),
        pod("read-only",
            box("writer", f"echo served > /data/index.html; {IDLE}", volumeMounts=seen_at("/data"),
                env=[{"name": "GIT_REPO", "value": "http://example.com/r.git"}]),
            box("server", "until cat /www/index.html; do usleep 100000; done; touch /www/no;"
                          " httpd -f -p 80 -h /www",
                volumeMounts=seen_at("/www", readOnly=True)), volumes=shared),
        pod("memory", box("a", f"df -m /v; stat -f -c %T /v; {IDLE}", volumeMounts=seen_at("/v")),
            volumes=[{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}]),
        pod("too-much", box("a", f"dd if=/dev/urandom of=/v/big bs=1024 count=3000; {IDLE}",
                            volumeMounts=seen_at("/v")),
            volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]),
        pod("host-paths", box("a", f"echo made > /dir/x; {IDLE}", volumeMounts=[
            {"name": "dir", "mountPath": "/dir"}, {"name": "file", "mountPath": "/file"}]),
            volumes=[
                {"name": "dir", "hostPath": {"path": f"{tmp}/a/b", "type": "DirectoryOrCreate"}},
                {"name": "file", "hostPath": {"path": f"{tmp}/f", "type": "FileOrCreate"}}]),
        pod("host-path-missing", box("a", IDLE), volumes=[
            {"name": "v", "hostPath": {"path": f"{tmp}/none", "type": "Directory"}}]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the node that pods may see."""
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="module")
def pods(cluster: Cluster, host: Path) -> Iterator[Cluster]:
    """The cluster with the whole crowd."""
    shell_image.load(cluster.runtime)
    cluster.apply(many(*crowd(host)))
    yield cluster
    cluster.kubectl("delete", "service", "ready")
    cluster.kubectl("delete", "pods", "-l", "pod", "--grace-period=1")


def phase(cluster: Cluster, name: str, *wanted: str) -> Status:
    def look() -> Status | None:
        found = Status(cluster, name)
        return found if found.phase in wanted else None

    found = eventually(look)
    assert isinstance(found, Status)
    return found


def ready(cluster: Cluster, name: str) -> Status:
    eventually(lambda: Status(cluster, name).ready())
    return Status(cluster, name)


@pytest.mark.seed("P01", "P02", "P03", "N04")
def test_two_containers_share_one_network_and_the_pods_name(pods: Cluster) -> None:
    status = ready(pods, "pair")
    assert status.all["hostIP"]
    eventually(lambda: "port taken" in pods.kubectl("logs", "pair", "-c", "b"))
    said = pods.kubectl("logs", "pair", "-c", "b")
    assert "root:x:0:0" in said
    assert "host pair\n" in said
    assert pods.kubectl("logs", "pair", "-c", "a") == "host pair\n"
    shown = pods.kubectl("exec", "pair", "-c", "a", "--", "ip", "-4", "addr", "show", "eth0")
    assert f"inet {status.ip}/" in shown


@pytest.mark.seed("P04", "R06")
def test_what_is_removed_behind_our_back_comes_back(pods: Cluster) -> None:
    before = ready(pods, "behind")
    container = running(pods, before.uid, "a")

    async def remove(runtime: Runtime) -> None:
        await runtime.remove(container.id)

    start = time.monotonic()
    behind(pods, remove)
    eventually(lambda: Status(pods, "behind").restarts("a") == 1, within_s=20)
    eventually(lambda: Status(pods, "behind").ready())
    print(f"back after {time.monotonic() - start:.1f} s")
    after = Status(pods, "behind")
    assert (after.uid, after.ip) == (before.uid, before.ip)
    assert after.pod["spec"]["nodeName"] == before.pod["spec"]["nodeName"]
    assert after.id_of("b") == before.id_of("b")


@pytest.mark.seed("P05")
def test_a_new_sandbox_makes_all_containers_anew(pods: Cluster) -> None:
    before = ready(pods, "sandbox")
    box_id = running(pods, before.uid, marks.SANDBOX_NAME).id

    async def kill(runtime: Runtime) -> None:
        await runtime.kill(box_id)

    behind(pods, kill)

    def renewed() -> bool:
        now = Status(pods, "sandbox")
        ids = {now.id_of(name) for name in "ab"}
        return now.ready() and not ids & {before.id_of(name) for name in "ab"}

    eventually(renewed)
    assert running(pods, before.uid, marks.SANDBOX_NAME).id != box_id
    assert "SandboxChanged" in events(pods, "sandbox")


@pytest.mark.seed("P07", "P08")
def test_another_image_restarts_just_that_container(pods: Cluster) -> None:
    before = ready(pods, "image")
    pods.kubectl("set", "image", "pod/image", f"a={SHELL_2}")

    def changed() -> bool:
        now = Status(pods, "image")
        return now["a"]["image"].endswith(SHELL_2) and now.ready()

    eventually(changed)
    after = Status(pods, "image")
    assert after.id_of("a") != before.id_of("a")
    assert (after.id_of("b"), after.ip) == (before.id_of("b"), before.ip)
    patch = '{"spec": {"hostNetwork": true}}'
    refused = pods.run("patch", "pod", "image", "-p", patch)
    assert "pod updates may not change fields other than" in refused.stderr


@pytest.mark.seed("P09", "C07", "D03")
def test_pending(pods: Cluster) -> None:
    eventually(lambda: "FailedScheduling" in events(pods, "nowhere"))
    assert Status(pods, "nowhere").phase == "Pending"
    eventually(lambda: Status(pods, "no-image").waiting("a") == "ErrImageNeverPull")
    assert Status(pods, "no-image").phase == "Pending"
    eventually(lambda: Status(pods, "no-registry").waiting("a") == "ImagePullBackOff")
    assert Status(pods, "no-registry").phase == "Pending"
    assert {"Failed", "BackOff"} <= events(pods, "no-registry").keys()


@pytest.mark.seed("P10", "R01", "R07")
def test_running_with_one_container_that_keeps_ending(pods: Cluster) -> None:
    eventually(lambda: Status(pods, "halves").waiting("a") == "CrashLoopBackOff")
    assert Status(pods, "halves").phase == "Running"
    for name, code in (("again-0", 0), ("again-1", 1)):
        eventually(lambda name=name: Status(pods, name).waiting("a") == "CrashLoopBackOff")
        status = Status(pods, name)
        assert (status.phase, status.restarts("a") >= 1) == ("Running", True)
        assert status["a"]["lastState"]["terminated"]["exitCode"] == code


@pytest.mark.seed("P11", "P12", "P17", "R03")
def test_ended_for_good(pods: Cluster) -> None:
    good = phase(pods, "good", "Succeeded", "Failed")
    assert (good.phase, good.restarts("a"), good.ended("a")["reason"]) == (
        "Succeeded", 0, "Completed",
    )  # fmt: skip
    bad = phase(pods, "bad", "Succeeded", "Failed")
    assert (bad.phase, bad.restarts("a"), bad.ended("a")["exitCode"]) == ("Failed", 0, 3)
    assert bad.ended("a")["message"] == "why\n"


@pytest.mark.seed("R02")
def test_on_failure_until_it_succeeds(pods: Cluster) -> None:
    done = phase(pods, "thrice", "Succeeded")
    assert done.restarts("a") == 2


@pytest.mark.seed("P14")
def test_two_containers_that_fail_one_after_the_other(pods: Cluster) -> None:
    assert phase(pods, "cell-never", "Failed").restarts("b") == 0
    for name in ("cell-always", "cell-onfailure"):
        eventually(lambda name=name: Status(pods, name).restarts("b") >= 1)
        assert Status(pods, name).phase == "Running"


@pytest.mark.seed("P20", "C10")
def test_events_tell_a_pods_story(pods: Cluster) -> None:
    status = ready(pods, "pair")
    told = events(pods, "pair")
    assert {"Scheduled", "Pulled", "Created", "Started"} <= told.keys()
    named = running(pods, status.uid, "a").name
    assert named == f"k8s_a_pair_default_{status.uid}_0"


@pytest.mark.seed("P21", "Q07")
def test_the_dead_are_kept_for_their_logs(pods: Cluster) -> None:
    eventually(lambda: Status(pods, "again-1").restarts("a") >= 2)
    status = Status(pods, "again-1")
    dead = [c for c in containers(pods, status.uid, "a") if c.state is State.EXITED]
    assert len(dead) <= 2
    assert pods.kubectl("logs", "again-1", "--previous") == "said\n"


@pytest.mark.seed("H02", "H06", "X01")
def test_http_liveness(pods: Cluster) -> None:
    sibling = ready(pods, "http-probe").id_of("sibling")
    eventually(lambda: Status(pods, "http-probe").restarts("a") >= 1)
    after = Status(pods, "http-probe")
    assert (after.id_of("sibling"), after.restarts("sibling")) == (sibling, 0)
    told = events(pods, "http-probe")
    assert "Liveness probe failed: HTTP probe failed with statuscode: 404\n" in told["Unhealthy"]
    assert told["Killing"] == "Container a failed liveness probe, will be restarted\n"


@pytest.mark.seed("H03", "X06")
def test_exec_liveness(pods: Cluster) -> None:
    eventually(lambda: Status(pods, "exec-probe").restarts("a") >= 1)
    assert "No such file" in events(pods, "exec-probe")["Unhealthy"]


@pytest.mark.seed("H04")
def test_tcp_liveness(pods: Cluster) -> None:
    eventually(lambda: Status(pods, "tcp-probe").restarts("a") >= 1)
    assert events(pods, "tcp-probe")["Unhealthy"].startswith("Liveness probe failed")


@pytest.mark.seed("H05")
def test_nothing_is_asked_before_the_initial_delay(pods: Cluster) -> None:
    eventually(lambda: Status(pods, "delay").restarts("a") >= 1)
    ended = Status(pods, "delay")["a"]["lastState"]["terminated"]
    times = [datetime.fromisoformat(ended[when]) for when in ("startedAt", "finishedAt")]
    assert (times[1] - times[0]).total_seconds() >= 4


@pytest.mark.seed("H08", "S04")
def test_a_pod_that_is_not_ready_leaves_its_service(pods: Cluster) -> None:
    def addresses() -> list[str]:
        subsets = pods.get("endpoints", "ready").get("subsets", [])
        return [a["ip"] for s in subsets for a in s.get("addresses", [])]

    ip = ready(pods, "ready").ip
    eventually(lambda: addresses() == [ip])
    pods.kubectl("exec", "ready", "--", "rm", "/tmp/ready")
    eventually(lambda: addresses() == [])
    assert Status(pods, "ready").restarts("a") == 0
    pods.kubectl("exec", "ready", "--", "touch", "/tmp/ready")
    eventually(lambda: addresses() == [ip])


@pytest.mark.seed("L01")
def test_a_post_start_hook_that_fails_ends_its_container(pods: Cluster) -> None:
    eventually(lambda: Status(pods, "post-start").restarts("a") >= 1)
    assert "FailedPostStartHook" in events(pods, "post-start")
    assert pods.kubectl("exec", "post-start", "-c", "b", "--", "ls", "/v") == "hooked\n"


@pytest.mark.seed("L02", "L03")
def test_stopping_runs_the_hook_and_waits_for_the_grace(pods: Cluster, host: Path) -> None:
    ready(pods, "pre-stop")
    start = time.monotonic()
    pods.kubectl("delete", "pod", "pre-stop")
    took = time.monotonic() - start
    assert (host / "stopped").exists()
    assert 2.5 < took < 20, "a shell as process 1 ignores SIGTERM: it is killed after the grace"


@pytest.mark.seed("C01")
def test_commands_are_no_shell(pods: Cluster) -> None:
    phase(pods, "words", "Succeeded")
    assert pods.kubectl("logs", "words", "-c", "a") == "hello $HOME $(GREETING)\n"
    assert pods.kubectl("logs", "words", "-c", "own") == "entry cmd\n"


@pytest.mark.seed("C02", "C03")
def test_variables_and_working_directory(pods: Cluster) -> None:
    phase(pods, "env", "Succeeded")
    assert pods.kubectl("logs", "env") == f"x//{SHELL}\n/bin\n"


@pytest.mark.seed("C05", "N06", "D01")
def test_a_host_port_leads_to_the_pod_and_is_had_once(pods: Cluster) -> None:
    node_ip = ready(pods, "published").all["hostIP"]
    for address in (node_ip, "127.0.0.1"):
        with urllib.request.urlopen(f"http://{address}:{HOST_PORT}/passwd", timeout=5) as page:
            assert page.read().startswith(b"root")
    port = {"containerPort": 80, "hostPort": HOST_PORT}
    pods.apply(many(pod("second", box("a", IDLE, ports=[port]))))
    eventually(lambda: "free ports" in events(pods, "second").get("FailedScheduling", ""))
    twice = pod("twice", box("a", IDLE, ports=[port]), box("b", IDLE, ports=[port]))
    refused = pods.run("create", "-f", "-", stdin=json.dumps(twice))
    assert "Duplicate value" in refused.stderr


@pytest.mark.seed("C06")
def test_cpu_and_memory_become_limits_of_the_kernel(pods: Cluster) -> None:
    found = running(pods, ready(pods, "limits").uid, "a")
    paths = [line.split(":", 2) for line in Path(f"/proc/{found.pid}/cgroup").read_text().split()]
    root = Path("/sys/fs/cgroup")

    def number(controller: str, old: str, new: str) -> str:
        for _, names, path in paths:
            if controller in names.split(","):
                return (root / names / path.lstrip("/") / old).read_text().strip()
        unified = next(path for number, _, path in paths if number == "0")
        return (root / unified.lstrip("/") / new).read_text().strip()

    assert number("memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    quota = number("cpu", "cpu.cfs_quota_us", "cpu.max")
    assert quota in {"50000", "50000 100000"}
    assert number("cpu", "cpu.shares", "cpu.weight") in {"256", "10", "28"}


@pytest.mark.seed("V01", "V02", "V09")
def test_an_empty_dir_lives_as_long_as_its_pod(pods: Cluster) -> None:
    status = ready(pods, "kept")
    pods.kubectl("exec", "kept", "-c", "b", "--", "grep", "-x", "x", "/elsewhere/n")
    container = running(pods, status.uid, "a")

    async def kill(runtime: Runtime) -> None:
        await runtime.kill(container.id)

    behind(pods, kill)
    eventually(lambda: Status(pods, "kept").restarts("a") == 1 and Status(pods, "kept").ready())
    read = ("exec", "kept", "-c", "b", "--", "cat", "/elsewhere/n")
    eventually(lambda: pods.kubectl(*read) == "xx\n")
    here = list((pods.data / "agent" / "pods" / status.uid).rglob("n"))
    assert [p.read_text() for p in here] == ["xx\n"]
    pods.kubectl("delete", "pod", "kept")
    eventually(lambda: not (pods.data / "agent" / "pods" / status.uid).exists())


@pytest.mark.seed("V04", "X02")
def test_a_volume_may_be_read_only_in_one_of_two_containers(pods: Cluster) -> None:
    address = ready(pods, "read-only").ip
    eventually(lambda: "Read-only" in pods.kubectl("logs", "read-only", "-c", "server"))
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as page:
        assert page.read() == b"served\n"


@pytest.mark.seed("V08")
def test_memory_as_a_volume_has_its_size(pods: Cluster) -> None:
    ready(pods, "memory")
    eventually(lambda: "tmpfs" in pods.kubectl("logs", "memory"))
    assert " 16 " in pods.kubectl("logs", "memory")


@pytest.mark.seed("V08")
def test_who_takes_more_disk_than_allowed_is_put_out(pods: Cluster) -> None:
    status = phase(pods, "too-much", "Failed")
    assert status.all["reason"] == "Evicted"
    assert status.all["message"] == 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
    eventually(lambda: "Evicted" in events(pods, "too-much"))
    eventually(lambda: Status(pods, "too-much").ended("a"))


@pytest.mark.seed("V03")
def test_paths_of_the_host(pods: Cluster, host: Path) -> None:
    ready(pods, "host-paths")
    eventually((host / "a/b/x").exists)
    assert (host / "f").is_file()
    eventually(lambda: "FailedMount" in events(pods, "host-path-missing"))
    assert "is not a directory" in events(pods, "host-path-missing")["FailedMount"]
    assert Status(pods, "host-path-missing").waiting("a") == "ContainerCreating"


def test_a_debugger_joins_a_pod_and_sees_its_processes(pods: Cluster) -> None:
    before = ready(pods, "sandbox")
    argv = ("debug", "pod/sandbox", f"--image={SHELL_2}", "--target=a", "--container=look",
            "--image-pull-policy=IfNotPresent", "--profile=general", "--", "ps")  # fmt: skip
    done = pods.run(*argv)
    assert done.returncode == 0, done.stderr

    def seen() -> str:
        found = pods.run("logs", "sandbox", "-c", "look")
        return found.stdout if found.returncode == 0 else ""

    eventually(lambda: IDLE in seen())

    def ended() -> dict[str, int] | None:
        (look,) = Status(pods, "sandbox").all["ephemeralContainerStatuses"]
        found: dict[str, int] | None = look["state"].get("terminated")
        return found

    assert eventually(ended)["exitCode"] == 0
    after = Status(pods, "sandbox")
    assert (after.phase, after.id_of("a")) == ("Running", before.id_of("a"))


def test_kubectl_top(pods: Cluster) -> None:
    ready(pods, "pair")

    def told() -> list[str]:
        found = pods.run("top", "pods", "--containers", "--no-headers")
        assert found.returncode == 0 or "not available yet" in found.stderr, found.stderr
        return [line for line in found.stdout.splitlines() if line.startswith("pair ")]

    lines = eventually(lambda: told() if len(told()) == 2 else None)
    assert {line.split()[1] for line in lines} == {"a", "b"}
    assert all(re.fullmatch(r"pair +[ab] +\d+m +\d+Mi", line.strip()) for line in lines)
    assert pods.node in pods.kubectl("top", "nodes")
    one = pods.kubectl("top", "pod", "pair", "--no-headers").split()
    assert one[0] == "pair"
    assert "pair" in pods.kubectl("top", "pods", "-l", "pod=pair")


BAD = [
    ("ports of 0", {"ports": [{"containerPort": 0}]}, "containerPort"),
    ("ports of 70000", {"ports": [{"containerPort": 70000}]}, "must be between 1 and 65535"),
    ("two ports of one name", {"ports": [{"containerPort": 1, "name": "a"},
                                         {"containerPort": 2, "name": "a"}]}, "Duplicate value"),
    ("a mount of nothing", {"volumeMounts": [{"name": "no", "mountPath": "/x"}]}, "Not found"),
]  # fmt: skip
BAD_PODS = [
    ("another policy", {"restartPolicy": "Sometimes"}, "Unsupported value"),
    ("two volumes of one name", {"volumes": [{"name": "v"}, {"name": "v"}]}, "Duplicate value"),
    ("two sources", {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
     "may not specify more than 1 volume type"),
    ("a long host name", {"hostname": "x" * 64}, "must be no more than 63 characters"),
]  # fmt: skip


@pytest.mark.seed("C04", "V05", "R04", "P18", "P19", "R05", "K04")
def test_what_is_refused(cluster: Cluster) -> None:
    cases = [(n, pod("bad-one", box("a", IDLE, **fields)), why) for n, fields, why in BAD]
    cases += [(n, pod("bad-one", box("a", IDLE), **spec), why) for n, spec, why in BAD_PODS]
    cases.append(("a bad name", pod("Bad_Name", box("a", IDLE)), "RFC 1123 subdomain"))
    never = {"restartPolicy": "Never", "containers": [box("a", IDLE)]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": never}
    controller = {"apiVersion": "v1", "kind": "ReplicationController",
                  "metadata": {"name": "rc"}, "spec": {"template": template}}  # fmt: skip
    cases.append(("a controller of ends", controller, 'supported values: "Always"'))
    for what, body, why in cases:
        answer = cluster.run("create", "--validate=false", "-f", "-", stdin=json.dumps(body))
        assert why in answer.stderr, f"{what}: {answer.stderr} {answer.stdout}"
    one = json.dumps(pod("one", box("a", IDLE), nodeSelector={"no": "such-node"}))
    first = json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", stdin=one))
    assert "AlreadyExists" in cluster.run("create", "-f", "-", stdin=one).stderr
    cluster.kubectl("delete", "pod", "one")
    second = json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", stdin=one))
    cluster.kubectl("delete", "pod", "one")
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
