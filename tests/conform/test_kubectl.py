"""Stock kubectl against a live server: what users type, and that nothing is complained about.

Objects only: no node, no controllers. Whatever these would write, a story writes itself.
"""

import asyncio
import json
from typing import Any

import pytest

from tests.conform.conftest import Kubectl

pytestmark = pytest.mark.slow

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web, tier: front}
spec:
  containers:
  - name: main
    image: nginx:1
    ports: [{containerPort: 80}]
"""
CONTROLLER = """
apiVersion: v1
kind: ReplicationController
metadata: {name: web}
spec:
  replicas: 2
  selector: {app: web}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: nginx:1}]
"""


async def read(kubectl: Kubectl, *argv: str) -> Any:
    return json.loads(await kubectl(*argv, "-o", "json"))


async def test_a_user_looks_around(kubectl: Kubectl) -> None:
    assert "Server Version: v1.36" in await kubectl("version")
    resources = await kubectl("api-resources")
    for line in ("configmaps", "replicationcontrollers", "endpointslices", "leases"):
        assert line in resources
    assert "coordination.k8s.io/v1" in await kubectl("api-versions")
    assert (await kubectl("get", "--raw", "/readyz")) == "ok"
    assert (await kubectl("auth", "can-i", "delete", "pods")).strip() == "yes"
    assert "system:masters" in await kubectl("auth", "whoami")


async def test_fields_are_explained(kubectl: Kubectl) -> None:
    explained = await kubectl("explain", "pod.spec.containers")
    assert "KIND:       Pod" in explained
    assert "image	<string>" in explained
    assert "FIELD: replicas <integer>" in await kubectl("explain", "rc.spec.replicas")


async def test_objects_come_in_every_form(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "settings", "--from-literal=colour=blue")
    assert (await kubectl("get", "cm", "settings", "-o", "name")) == "configmap/settings\n"
    assert (await read(kubectl, "get", "cm", "settings"))["data"] == {"colour": "blue"}
    assert "colour: blue" in await kubectl("get", "cm", "settings", "-o", "yaml")
    path = "jsonpath={.data.colour}"
    assert (await kubectl("get", "cm", "settings", "-o", path)) == "blue"
    head, row = (await kubectl("get", "cm", "settings")).splitlines()
    assert head.split() == ["NAME", "DATA", "AGE"]
    assert row.split()[:2] == ["settings", "1"]
    columns = "custom-columns=A:.metadata.name,B:.data.colour"
    assert "blue" in await kubectl("get", "cm", "-o", columns)
    assert "settings" in await kubectl("get", "cm", "-A", "--sort-by=.metadata.name")


async def test_a_pod_is_shown_as_users_know_it(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=POD)
    head, row = (await kubectl("get", "pods", "-o", "wide")).splitlines()
    assert head.split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert head.split()[5:] == ["IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    assert row.split()[:4] == ["web", "0/1", "Pending", "0"]
    described = await kubectl("describe", "pod", "web")
    assert "Image:        nginx:1" in described
    assert "app=web" in described
    assert "No resources found" in (await kubectl.run("get", "events")).err


async def test_apply_creates_then_changes_then_finds_nothing_to_do(kubectl: Kubectl) -> None:
    assert (await kubectl("apply", "-f", "-", stdin=CONTROLLER)).endswith("created\n")
    changed = CONTROLLER.replace("replicas: 2", "replicas: 3")
    assert "replicas" in (await kubectl.run("diff", "-f", "-", stdin=changed)).out
    assert (await kubectl("apply", "-f", "-", stdin=changed)).endswith("configured\n")
    assert (await kubectl("apply", "-f", "-", stdin=changed)).endswith("unchanged\n")
    assert (await read(kubectl, "get", "rc", "web"))["spec"]["replicas"] == 3


async def test_server_side_apply_keeps_owners_apart(kubectl: Kubectl) -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: '%s'}}"
    apply = ("apply", "--server-side", "-f", "-")
    await kubectl(*apply, stdin=text % "1")
    refused = await kubectl.fails(*apply, "--field-manager=other", stdin=text % "2")
    assert 'conflict with "kubectl": .data.k' in refused
    await kubectl(*apply, "--field-manager=other", "--force-conflicts", stdin=text % "2")
    assert (await read(kubectl, "get", "cm", "a"))["data"] == {"k": "2"}


async def test_dry_runs_store_nothing(kubectl: Kubectl) -> None:
    out = await kubectl("create", "-f", "-", "--dry-run=server", stdin=POD)
    assert out == "pod/web created (server dry run)\n"
    assert 'pods "web" not found' in await kubectl.fails("get", "pod", "web")


async def test_an_object_is_replaced_and_edited(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "a", "--from-literal=k=1")
    body = await kubectl("get", "cm", "a", "-o", "yaml")
    await kubectl("replace", "-f", "-", stdin=body.replace('k: "1"', 'k: "2"'))
    assert (await read(kubectl, "get", "cm", "a"))["data"] == {"k": "2"}
    stale = await kubectl.fails("replace", "-f", "-", stdin=body)
    assert "the object has been modified" in stale
    editor = {"EDITOR": """sed -i 's/k: "2"/k: "3"/'"""}
    assert (await kubectl("edit", "cm", "a", env=editor)) == "configmap/a edited\n"
    assert (await read(kubectl, "get", "cm", "a"))["data"] == {"k": "3"}


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("merge", '{"data":{"k":"2"}}'),
        ("strategic", '{"data":{"k":"2"}}'),
        ("json", '[{"op":"replace","path":"/data/k","value":"2"}]'),
    ],
)
async def test_the_three_patches(kubectl: Kubectl, kind: str, patch: str) -> None:
    await kubectl("create", "configmap", "a", "--from-literal=k=1")
    await kubectl("patch", "cm", "a", "--type", kind, "-p", patch)
    assert (await read(kubectl, "get", "cm", "a"))["data"] == {"k": "2"}


@pytest.mark.seed("B01")
async def test_labels_annotations_and_images_are_set(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=POD)
    await kubectl("label", "pod", "web", "colour=green")
    refused = await kubectl.fails("label", "pod", "web", "colour=blue")
    assert "already has a value" in refused
    await kubectl("label", "pod", "web", "colour=blue", "--overwrite")
    await kubectl("label", "pod", "web", "app-")
    await kubectl("annotate", "pod", "web", "note=x")
    await kubectl("set", "image", "pod/web", "main=nginx:2")
    pod = await read(kubectl, "get", "pod", "web")
    assert pod["metadata"]["labels"] == {"colour": "blue", "tier": "front"}
    assert pod["metadata"]["annotations"]["note"] == "x"
    assert pod["spec"]["containers"][0]["image"] == "nginx:2"


@pytest.mark.seed("B03", "B04")
async def test_selectors(kubectl: Kubectl) -> None:
    for name, tier in (("a", "front"), ("b", "back"), ("c", "db")):
        await kubectl("create", "configmap", name)
        await kubectl("label", "cm", name, f"tier={tier}")
    names = ("get", "cm", "-o", "name")
    assert (await kubectl(*names, "-l", "tier in (front,back)")).split() == [
        "configmap/a",
        "configmap/b",
    ]
    assert (await kubectl(*names, "-l", "tier notin (front),tier!=db")).split() == ["configmap/b"]
    assert (await kubectl(*names, "--field-selector", "metadata.name=c")).split() == ["configmap/c"]
    refused = await kubectl.fails(*names, "--field-selector", "spec.x=1")
    assert "is not a known field selector" in refused
    assert (await kubectl(*names, "--chunk-size=1")).split() == [
        "configmap/a",
        "configmap/b",
        "configmap/c",
    ]


@pytest.mark.seed("K03")
async def test_a_controller_is_scaled(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=CONTROLLER)
    assert (await kubectl("scale", "rc", "web", "--replicas=5")) == (
        "replicationcontroller/web scaled\n"
    )
    assert (await read(kubectl, "get", "rc", "web"))["spec"]["replicas"] == 5
    refused = await kubectl.fails("scale", "rc", "web", "--replicas=1", "--current-replicas=2")
    assert "Expected replicas to be 2" in refused


async def test_a_service_is_exposed_with_an_address(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=CONTROLLER)
    await kubectl("expose", "rc", "web", "--port=80")
    head, row = (await kubectl("get", "svc", "web")).splitlines()
    assert head.split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert row.split()[1:2] == ["ClusterIP"]
    assert row.split()[2].startswith("10.43.")
    assert "Port:" in await kubectl("describe", "svc", "web")


@pytest.mark.seed("E03")
async def test_watching_shows_changes_as_they_come(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "a")
    process = await kubectl.start("get", "cm", "-w", "-o", "name")
    assert process.stdout is not None
    async with asyncio.timeout(20):
        assert (await process.stdout.readline()) == b"configmap/a\n"
        await kubectl("create", "configmap", "b")
        assert (await process.stdout.readline()) == b"configmap/b\n"
    process.kill()
    await process.communicate()


async def test_waiting_ends_when_the_condition_holds(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=POD)
    process = await kubectl.start("wait", "--for=condition=Ready", "pod/web", "--timeout=20s")
    ready = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    await kubectl("patch", "pod", "web", "--subresource=status", "--type=merge", "-p", ready)
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert (out, err) == (b"pod/web condition met\n", b"")


async def test_deletes_with_and_without_grace(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "a")
    assert (await kubectl("delete", "cm", "a")) == 'configmap "a" deleted from default namespace\n'
    await kubectl("create", "-f", "-", stdin=POD)
    await kubectl("delete", "pod", "web", "--grace-period=1")
    await kubectl("create", "-f", "-", stdin=POD)
    forced = await kubectl.run("delete", "pod", "web", "--grace-period=0", "--force")
    assert forced.code == 0
    assert 'pod "web" force deleted' in forced.out
    await kubectl("create", "configmap", "b")
    await kubectl("delete", "cm", "--all")
    assert (await kubectl("get", "cm", "-o", "name")) == ""


async def test_events_are_listed(kubectl: Kubectl) -> None:
    event = """
    apiVersion: v1
    kind: Event
    metadata: {name: e}
    involvedObject: {kind: Pod, name: web, namespace: default}
    reason: Started
    message: Started container main
    type: Normal
    firstTimestamp: 2024-01-01T00:00:00Z
    lastTimestamp: 2024-01-01T00:00:00Z
    count: 1
    """
    await kubectl("create", "-f", "-", stdin=event)
    head, row = (await kubectl("get", "events")).splitlines()
    assert head.split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert row.split()[1:4] == ["Normal", "Started", "pod/web"]
    assert "Started container main" in await kubectl("events")


async def test_a_node_is_cordoned_and_tainted(kubectl: Kubectl) -> None:
    await kubectl(
        "create", "-f", "-", stdin="{apiVersion: v1, kind: Node, metadata: {name: node-1}}"
    )
    await kubectl("cordon", "node-1")
    await kubectl("taint", "node", "node-1", "colour=blue:NoSchedule")
    assert "SchedulingDisabled" in await kubectl("get", "nodes")
    node = await read(kubectl, "get", "node", "node-1")
    assert {"key": "colour", "value": "blue", "effect": "NoSchedule"} in node["spec"]["taints"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("image: nginx:1", "imagge: nginx:1"), 'unknown field "spec.containers[0].imagge"'),
        (("containerPort: 80", "containerPort: 99999"), "spec.containers[0].ports[0]"),
        (("image: nginx:1", "tty: false"), "spec.containers[0].image: Required value"),
        (("name: web", "name: Not_A_Name"), "metadata.name: Invalid value"),
        (("containerPort: 80", "containerPort: many"), "containerPort"),
    ],
)
async def test_bad_manifests_are_refused_with_the_field(
    kubectl: Kubectl, change: tuple[str, str], complaint: str
) -> None:
    refused = await kubectl.fails("create", "-f", "-", stdin=POD.replace(*change))
    assert complaint in refused
    assert (await kubectl("get", "pods", "-o", "name")) == ""
