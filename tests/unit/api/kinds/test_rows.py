"""One row of each kind but Pod, as a kube-apiserver prints it."""

from typing import Any

import msgspec
import pytest

from appliance.api.ages import seconds_of
from appliance.api.kinds.table import KINDS, by_kind

NOW = seconds_of("2026-01-01T01:00:00Z")

TEMPLATE = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {"containers": [{"name": "c", "image": "app:1"}, {"name": "d", "image": "b"}]},
}
THREE = [{"ip": f"10.0.0.{n}"} for n in (1, 2, 3)]


def service(kind: str, **spec: Any) -> dict[str, Any]:
    return {"spec": {"type": kind, "ports": [{"port": 80, "protocol": "TCP"}]} | spec}


@pytest.mark.parametrize(
    ("kind", "body", "row"),
    [
        ("ConfigMap", {"data": {"a": "b"}, "binaryData": {"c": "ZA=="}}, ["n", 2, "10m"]),
        ("Secret", {"type": "Opaque", "data": {"a": "Yg=="}}, ["n", "Opaque", 1, "10m"]),
        ("ServiceAccount", {}, ["n", "10m"]),
        ("Namespace", {"status": {"phase": "Active"}}, ["n", "Active", "10m"]),
        ("Lease", {"spec": {"holderIdentity": "me"}}, ["n", "me", "10m"]),
        ("Lease", {}, ["n", "", "10m"]),
        ("Endpoints", {}, ["n", "<none>", "10m"]),
        (
            "Endpoints",
            {"subsets": [{"addresses": THREE[:2], "ports": [{"port": 80}, {"port": 81}]}]},
            ["n", "10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...", "10m"],
        ),
        ("Endpoints", {"subsets": [{"addresses": [{"ip": "1.2.3.4"}]}]}, ["n", "1.2.3.4", "10m"]),
        (
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [], "ports": []},
            ["n", "IPv4", "<unset>", "<unset>", "10m"],
        ),
        (
            "EndpointSlice",
            {
                "addressType": "IPv4",
                "endpoints": [{"addresses": [a["ip"]]} for a in (*THREE, {"ip": "10.0.0.4"})],
                "ports": [{"port": 80}, {"name": "x"}, {}],
            },
            ["n", "IPv4", "80,x,*", "10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...", "10m"],
        ),
        (
            "ReplicationController",
            {
                "spec": {"replicas": 2, "selector": {"b": "c", "app": "a"}, "template": TEMPLATE},
                "status": {"replicas": 1, "readyReplicas": 1},
            },
            ["n", 2, 1, 1, "10m", "c,d", "app:1,b", "app=a,b=c"],
        ),
        (
            "Event",
            {
                "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"},
                "type": "Normal",
                "reason": "Started",
                "message": "started\n",
                "eventTime": "2026-01-01T00:59:50.000000Z",
                "reportingComponent": "a.b/c",
                "reportingInstance": "i",
            },
            [
                "10s",
                "Normal",
                "Started",
                "pod/p",
                "spec.containers{c}",
                "a.b/c, i",
                "started",
                "10s",
                1,
                "n",
            ],
        ),
        (
            "Event",
            {
                "involvedObject": {"kind": "Node"},
                "source": {"component": "kubelet"},
                "firstTimestamp": "2026-01-01T00:30:00Z",
                "lastTimestamp": "2026-01-01T00:40:00Z",
                "count": 7,
            },
            ["20m", "", "", "node", "", "kubelet", "", "30m", 7, "n"],
        ),
        (
            "Service",
            service("ClusterIP", clusterIPs=["10.43.0.5"], selector={"a": "b"}),
            ["n", "ClusterIP", "10.43.0.5", "<none>", "80/TCP", "10m", "a=b"],
        ),
        (
            "Service",
            {"spec": {"type": "ExternalName", "externalName": "example.com"}},
            ["n", "ExternalName", "<none>", "example.com", "<none>", "10m", "<none>"],
        ),
        (
            "Service",
            service("LoadBalancer", ports=[{"port": 80, "nodePort": 30080, "protocol": "TCP"}]),
            ["n", "LoadBalancer", "<none>", "<pending>", "80:30080/TCP", "10m", "<none>"],
        ),
        (
            "Service",
            service("LoadBalancer", externalIPs=["9.9.9.9"])
            | {"status": {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "lb"}]}}},
            ["n", "LoadBalancer", "<none>", "2.2.2.2,lb,9.9.9.9", "80/TCP", "10m", "<none>"],
        ),
        ("Node", {}, ["n", "Unknown", "<none>", "10m", "", "<none>", "<none>"] + ["<unknown>"] * 3),
        (
            "Node",
            {
                "metadata": {
                    "name": "n",
                    "creationTimestamp": "2026-01-01T00:50:00Z",
                    "labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "a"},
                },
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "False"}],
                    "addresses": [{"type": "InternalIP", "address": "192.0.2.3"}],
                },
            },
            ["n", "NotReady,SchedulingDisabled", "a,worker", "10m", "", "192.0.2.3", "<none>"]
            + ["<unknown>"] * 3,
        ),
    ],
)
def test_a_row(kind: str, body: dict[str, Any], row: list[Any]) -> None:
    found = next(k for k in KINDS if k.kind == kind)
    meta = {"metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:50:00Z"}}
    assert found.cells
    assert found.cells(msgspec.convert(meta | body, found.type), NOW) == row
    assert len(row) == len(found.columns)


@pytest.mark.parametrize(
    ("api_version", "kind", "body", "name", "value"),
    [
        ("v1", "Pod", {"spec": {"nodeName": "a", "containers": []}}, "spec.nodeName", "a"),
        ("v1", "Pod", {"spec": {"hostNetwork": True}}, "spec.hostNetwork", "true"),
        ("v1", "Node", {}, "spec.unschedulable", "false"),
        ("v1", "Secret", {"type": "Opaque"}, "type", "Opaque"),
        ("v1", "ReplicationController", {"status": {"replicas": 3}}, "status.replicas", "3"),
        ("v1", "Event", {"source": {"component": "k"}}, "source", "k"),
        ("v1", "Event", {"reportingComponent": "r"}, "source", "r"),
    ],
)
def test_a_field_to_select_by(
    api_version: str, kind: str, body: dict[str, Any], name: str, value: str
) -> None:
    found = by_kind(api_version, kind)
    assert found
    assert found.selectable_fields[name](msgspec.convert(body, found.type)) == value
