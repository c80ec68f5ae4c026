"""What is filled in where the user said nothing; values from a real API server's answers."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.pod.pull_policy import pull_policy
from appliance.api.kinds.table import KINDS


def test_a_pod_of_one_container() -> None:
    done = defaulted("Pod", {"spec": {"containers": [{"name": "c", "image": "app:1"}]}})
    assert done["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "app:1",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }
    assert done["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("app:1", "IfNotPresent"),
        ("host:5000/app", "Always"),
        ("host:5000/app:1", "IfNotPresent"),
        ("app@sha256:0123", "IfNotPresent"),
        ("app:latest@sha256:0123", "IfNotPresent"),
    ],
)
def test_an_image_without_a_fixed_tag_is_always_pulled(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("resources", "requests", "qos"),
    [
        ({}, {}, "BestEffort"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, {"cpu": "1", "memory": "1Gi"}, "Guaranteed"),
        ({"requests": {"cpu": "100m"}}, {"cpu": "100m"}, "Burstable"),
        ({"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}, {"cpu": "1"}, "Burstable"),
        ({"limits": {"example.com/gpu": "1"}}, {"example.com/gpu": "1"}, "BestEffort"),
    ],
)
def test_a_limit_is_also_the_request(
    resources: dict[str, Any], requests: dict[str, str], qos: str
) -> None:
    body = {"spec": {"containers": [{"name": "c", "resources": resources}]}}
    done = defaulted("Pod", body)
    assert done["spec"]["containers"][0]["resources"].get("requests", {}) == requests
    assert done["status"]["qosClass"] == qos


def test_probes_ports_and_variables() -> None:
    done = container(
        {
            "ports": [{"containerPort": 80}],
            "livenessProbe": {"httpGet": {"port": 80}},
            "startupProbe": {"grpc": {"port": 90}, "periodSeconds": 3},
            "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
        }
    )
    times = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    call = {"path": "/", "port": 80, "scheme": "HTTP"}
    assert done["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert done["livenessProbe"] == {"httpGet": call} | times
    assert done["startupProbe"] == {"grpc": {"port": 90, "service": ""}} | times | {
        "periodSeconds": 3
    }
    assert done["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert done["lifecycle"]["preStop"]["httpGet"] == call


@pytest.mark.parametrize(
    ("source", "done"),
    [
        ({}, {"emptyDir": {}}),
        ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        (
            {"secret": {"secretName": "s"}},
            {"secret": {"secretName": "s", "defaultMode": 420}},
        ),
        ({"configMap": {"name": "c"}}, {"configMap": {"name": "c", "defaultMode": 420}}),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                    "defaultMode": 420,
                }
            },
        ),
    ],
)
def test_a_volume(source: dict[str, Any], done: dict[str, Any]) -> None:
    body = {"spec": {"containers": [], "volumes": [{"name": "v"} | source]}}
    assert defaulted("Pod", body)["spec"]["volumes"] == [{"name": "v"} | done]


def test_on_the_hosts_network_ports_are_the_hosts() -> None:
    body = {
        "spec": {
            "hostNetwork": True,
            "containers": [{"name": "c", "ports": [{"containerPort": 80}]}],
        }
    }
    ports = defaulted("Pod", body)["spec"]["containers"][0]["ports"]
    assert ports == [{"hostPort": 80, "containerPort": 80, "protocol": "TCP"}]


def test_a_service() -> None:
    done = defaulted("Service", {"spec": {"ports": [{"port": 80}]}})
    assert done["spec"] == {
        "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }


def test_a_service_with_affinity_and_a_balancer() -> None:
    body = {"spec": {"type": "LoadBalancer", "sessionAffinity": "ClientIP"}}
    done = defaulted("Service", body)["spec"]
    assert done["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert done["externalTrafficPolicy"] == "Cluster"
    assert done["allocateLoadBalancerNodePorts"] is True


def test_a_controller_takes_labels_and_selector_from_its_template() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}
    done = defaulted("ReplicationController", {"spec": {"template": template}})
    assert done["metadata"]["labels"] == {"a": "b"}
    assert done["spec"]["selector"] == {"a": "b"}
    assert done["spec"]["replicas"] == 1
    assert "enableServiceLinks" not in done["spec"]["template"]["spec"]


def test_a_namespace_is_labelled_and_held() -> None:
    done = defaulted("Namespace", {"metadata": {"name": "n"}})
    assert done["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert done["spec"] == {"finalizers": ["kubernetes"]}
    assert done["status"] == {"phase": "Active"}


def test_plain_text_of_a_secret_is_stored_as_data() -> None:
    body = {"data": {"a": "QQ==", "b": "Qg=="}, "stringData": {"b": "x"}}
    done = defaulted("Secret", body)
    assert done["data"] == {"a": "QQ==", "b": "eA=="}
    assert done["type"] == "Opaque"
    assert "stringData" not in done


def test_a_controllers_writer_does_not_set_its_status() -> None:
    body = {"spec": {"template": None}, "status": {"replicas": 9}}
    assert defaulted("ReplicationController", body)["status"] == {"replicas": 0}


def test_writes_keep_what_they_do_not_own() -> None:
    rc = next(k for k in KINDS if k.kind == "ReplicationController")
    old = msgspec.convert({"spec": {"replicas": 1}, "status": {"replicas": 1}}, rc.type)
    new = msgspec.convert({"spec": {"replicas": 2}, "status": {"replicas": 2}}, rc.type)
    rc.prepare_update(new, old)
    assert msgspec.to_builtins(new)["status"] == {"replicas": 1}
    new = msgspec.convert({"spec": {"replicas": 2}, "status": {"replicas": 2}}, rc.type)
    rc.prepare_status_update(new, old)
    assert msgspec.to_builtins(new)["spec"] == {"replicas": 1}


def test_an_update_of_a_service_keeps_its_address() -> None:
    kind = next(k for k in KINDS if k.kind == "Service")
    old = msgspec.convert(
        {
            "spec": {
                "type": "NodePort",
                "clusterIP": "10.43.0.5",
                "clusterIPs": ["10.43.0.5"],
                "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}],
            }
        },
        kind.type,
    )
    ports = [{"port": 80, "protocol": "TCP"}]
    new = msgspec.convert({"spec": {"type": "NodePort", "ports": ports}}, kind.type)
    kind.prepare_update(new, old)
    assert msgspec.to_builtins(new)["spec"] == msgspec.to_builtins(old)["spec"]


def container(body: dict[str, Any]) -> dict[str, Any]:
    done = defaulted("Pod", {"spec": {"containers": [{"name": "c"} | body]}})
    first: dict[str, Any] = done["spec"]["containers"][0]
    return first


def defaulted(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """The object as it would be stored, less what the registry adds."""
    found = next(k for k in KINDS if k.kind == kind)
    obj = msgspec.convert(body, found.type)
    found.set_defaults(obj)
    found.prepare_create(obj)
    done: dict[str, Any] = msgspec.to_builtins(obj)
    return done
