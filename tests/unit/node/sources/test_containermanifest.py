"""The manifests of 2014, as its documentation writes them, become today's pods."""

import json

import pytest

from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.sources.manifest import ManifestFault, Origin, pods_of

WALKTHROUGH = """
version: v1beta1
id: www
containers:
  - name: nginx
    image: nginx:1
    volumeMounts:
      - name: www-data
        mountPath: /srv/www
        readOnly: true
    ports:
      - name: web
        containerPort: 80
        hostPort: 8080
  - name: git-monitor
    image: git:1
    command: [/bin/watch]
    cpu: 100
    memory: 50000000
    env:
      - {name: GIT_REPO, value: "http://example.com/r.git"}
      - {key: OLD_NAME, value: x}
    volumeMounts:
      - {name: www-data, path: /data}
volumes:
  - name: www-data
    source: {emptyDir: {}}
  - name: bare
  - name: host
    source: {hostDir: {path: /tmp}}
restartPolicy: {onFailure: {}}
"""


def read(text: str) -> list[Pod]:
    return pods_of(text, Origin("n1", "etcd", "/registry/hosts/n1/kubelet"))


@pytest.mark.seed("X02", "V02", "V03", "C06")
def test_the_walkthroughs_pod() -> None:
    (made,) = read(WALKTHROUGH)
    nginx, monitor = made.spec.containers
    assert (made.metadata.name, made.spec.restartPolicy) == ("www-n1", "OnFailure")
    assert [(v.name, v.emptyDir is not None) for v in made.spec.volumes] == [
        ("www-data", True), ("bare", True), ("host", False),
    ]  # fmt: skip
    host = made.spec.volumes[2].hostPath
    assert host is not None
    assert host.path == "/tmp"
    assert (nginx.volumeMounts[0].mountPath, nginx.volumeMounts[0].readOnly) == ("/srv/www", True)
    assert (nginx.ports[0].hostPort, nginx.ports[0].protocol) == (8080, "TCP")
    assert monitor.volumeMounts[0].mountPath == "/data"
    assert {e.name: e.value for e in monitor.env} == {
        "GIT_REPO": "http://example.com/r.git",
        "OLD_NAME": "x",
    }
    assert monitor.resources.requests == {"cpu": "100m", "memory": "50M"}
    assert monitor.resources.limits == {"memory": "50M"}


@pytest.mark.seed("H07")
@pytest.mark.parametrize(
    ("probe", "field"),
    [
        ("{enabled: true, type: http, httpGet: {path: /healthz, port: 8080}}", "httpGet"),
        ("{type: tcp, tcpSocket: {port: 80}}", "tcpSocket"),
        ("{exec: {command: [cat, /tmp/health]}}", "exec"),
    ],
)
def test_probes_of_all_three_kinds(probe: str, field: str) -> None:
    text = (
        f"{{version: v1beta1, id: a, containers: [{{name: c, image: i, livenessProbe: {probe}}}]}}"
    )
    made = read(text.replace("{exec", "{initialDelaySeconds: 15, exec"))[0]
    liveness = made.spec.containers[0].livenessProbe
    assert liveness is not None
    assert getattr(liveness, field) is not None
    assert liveness.initialDelaySeconds == (15 if field == "exec" else 0)


def test_a_probe_that_is_not_enabled_is_none() -> None:
    probe = "{enabled: false, type: tcp, tcpSocket: {port: 80}}"
    text = (
        f"{{version: v1beta1, id: a, containers: [{{name: c, image: i, livenessProbe: {probe}}}]}}"
    )
    assert read(text)[0].spec.containers[0].livenessProbe is None


@pytest.mark.parametrize(
    ("policy", "now"),
    [("{}", "Always"), ("{always: {}}", "Always"), ("{onFailure: {}}", "OnFailure"),
     ("{never: {}}", "Never")],
)  # fmt: skip
def test_restart_policies(policy: str, now: str) -> None:
    text = (
        f"{{version: v1beta1, id: a, restartPolicy: {policy}, containers: [{{name: c, image: i}}]}}"
    )
    assert read(text)[0].spec.restartPolicy == now


def test_lists_of_all_forms() -> None:
    one = {"version": "v1beta1", "id": "a", "containers": [{"name": "c", "image": "i"}]}
    two = one | {"id": "b"}
    for whole in (
        [one, two],
        {"items": [one, two]},
        {"kind": "ContainerManifestList", "apiVersion": "v1beta1", "items": [one, two]},
    ):
        assert [p.metadata.name for p in read(json.dumps(whole))] == ["a-n1", "b-n1"]


def test_a_pod_of_the_old_api() -> None:
    manifest = {"version": "v1beta1", "id": "x", "containers": [{"name": "c", "image": "i"}]}
    old = {"kind": "Pod", "apiVersion": "v1beta1", "id": "redis", "labels": {"name": "redis"},
           "desiredState": {"manifest": manifest}}  # fmt: skip
    (made,) = read(json.dumps(old))
    assert (made.metadata.name, made.metadata.labels) == ("redis-n1", {"name": "redis"})


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("restartPolicy: {always: {}, never: {}}", "restartPolicy: one of"),
        ("volumes: [{name: v, source: {emptyDir: {}, hostDir: {path: /}}}]", "exactly one"),
        ("volumes: [{name: v, source: {floppy: {}}}]", "floppy: not known"),
        ("containers: 5", "must be a list"),
        ("containers: [{name: c, image: i, livenessProbe: {type: http}}]", "one of httpGet"),
        ("containers: [{name: c, image: i, volumeMounts: [{name: no, path: /x}]}]", "volumeMounts"),
    ],
)
def test_what_can_not_be_turned_is_named(part: str, why: str) -> None:
    base = "" if part.startswith("containers") else "containers: [{name: c, image: i}], "
    with pytest.raises(ManifestFault, match=why):
        read(f"{{version: v1beta1, id: a, {base}{part}}}")
