"""Rules of which no refusal was recorded; each row breaks one, and nothing else."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.table import KINDS

CONTAINER = {"name": "c", "image": "a"}
OTHER_TYPE = "may not specify more than 1 volume type"


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v"} | source]}


def with_container(**fields: Any) -> dict[str, Any]:
    return {"containers": [CONTAINER | fields]}


def probe(**fields: Any) -> dict[str, Any]:
    return with_container(readinessProbe={"tcpSocket": {"port": 1}} | fields)


def mount(**fields: Any) -> dict[str, Any]:
    mounted = with_container(volumeMounts=[{"name": "v", "mountPath": "/x"} | fields])
    return mounted | volume(emptyDir={})


@pytest.mark.parametrize(
    ("spec", "field", "end"),
    [
        ({"shareProcessNamespace": True, "hostPID": True}, "shareProcessNamespace", "be enabled"),
        ({"preemptionPolicy": "X"}, "preemptionPolicy", '"Never", "PreemptLowerPriority"'),
        ({"os": {"name": "plan9"}}, "os.name", '"linux", "windows"'),
        ({"schedulerName": "A"}, "schedulerName", r"([-a-z0-9]*[a-z0-9])?)*')"),
        ({"overhead": {"cpu": "-1"}}, "overhead[cpu]", "greater than or equal to 0"),
        ({"resources": {"requests": {"cpu": "-1"}}}, "resources.requests[cpu]", "equal to 0"),
        ({"hostAliases": [{"ip": "10.0.0.01"}]}, "hostAliases[0].ip", "not have leading 0s"),
        ({"dnsConfig": {"options": [{"name": ""}]}}, "dnsConfig.options[0]", "not be empty"),
        ({"dnsPolicy": "None", "dnsConfig": {}}, "dnsConfig.nameservers", "`dnsPolicy` is None"),
        (volume(emptyDir={}, hostPath={"path": "/"}), "volumes[0].emptyDir", OTHER_TYPE),
        (volume(hostPath={"path": "/a/../b"}), "volumes[0].hostPath.path", "not contain '..'"),
        (volume(hostPath={"path": "/a", "type": "Lake"}), "volumes[0].hostPath.type", '"Socket"'),
        (volume(csi={}), "volumes[0].csi.driver", "Required value"),
        (
            volume(gitRepo={"repository": "r", "directory": "/d"}),
            "volumes[0].gitRepo.directory",
            "path",
        ),
        (
            volume(secret={"secretName": "s", "defaultMode": 512}),
            "volumes[0].secret.defaultMode",
            "inclusive",
        ),
        (
            volume(configMap={"name": "c", "items": [{"key": "k", "path": "..d"}]}),
            "volumes[0].configMap.items[0].path",
            "must not start with '..'",
        ),
        (
            volume(downwardAPI={"items": [{"path": "p"}]}),
            "volumes[0].downwardAPI",
            "one of fieldRef and resourceFieldRef is required",
        ),
        (
            volume(
                downwardAPI={"items": [{"path": "p", "fieldRef": {"fieldPath": "spec.nodeName"}}]}
            ),
            "volumes[0].downwardAPI.fieldRef.fieldPath",
            '"metadata.namespace", "metadata.uid"',
        ),
        (
            volume(
                projected={
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 9}}]
                }
            ),
            "volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds",
            "less than 10 minutes",
        ),
        (mount(name="w"), "containers[0].volumeMounts[0].name", 'Not found: "w"'),
        (mount(subPath="../x"), "containers[0].volumeMounts[0].subPath", "not contain '..'"),
        (mount(subPath="/x"), "containers[0].volumeMounts[0].subPath", "must be a relative path"),
        (
            mount(subPath="a", subPathExpr="b"),
            "containers[0].volumeMounts[0].subPathExpr",
            "exclusive",
        ),
        (
            probe(terminationGracePeriodSeconds=5),
            "containers[0].readinessProbe.terminationGracePeriodSeconds",
            "Probes",
        ),
        (
            with_container(lifecycle={"preStop": {"sleep": {"seconds": 31}}}),
            "containers[0].lifecycle.preStop.sleep",
            "terminationGracePeriodSeconds (30)",
        ),
        (
            with_container(
                livenessProbe={"httpGet": {"port": 1, "httpHeaders": [{"name": "a b"}]}}
            ),
            "containers[0].livenessProbe.httpGet.httpHeaders",
            "used for validation is '[-A-Za-z0-9]+')",
        ),
        (
            with_container(terminationMessagePolicy="X"),
            "containers[0].terminationMessagePolicy",
            "'FallbackToLogsOnError'",
        ),
        (
            with_container(resources={"limits": {"a.b/c": "500m"}, "requests": {"a.b/c": "500m"}}),
            "containers[0].resources.limits[a.b/c]",
            "must be an integer",
        ),
        (
            with_container(resources={"limits": {"hugepages-2Mi": "2Mi"}}),
            "containers[0].resources",
            "HugePages require cpu or memory",
        ),
        (
            with_container(securityContext={"procMount": "Unmasked"}),
            "containers[0].securityContext.procMount",
            "`hostUsers` must be false to use `Unmasked`",
        ),
        (
            with_container(securityContext={"appArmorProfile": {"type": "Localhost"}}),
            "containers[0].securityContext.appArmorProfile.localhostProfile",
            "must be set when AppArmor type is Localhost",
        ),
        ({"securityContext": {"fsGroup": -1}}, "securityContext.fsGroup", "2147483647, inclusive"),
        (
            {"securityContext": {"fsGroupChangePolicy": "X"}},
            "securityContext.fsGroupChangePolicy",
            '"OnRootMismatch"',
        ),
        (
            {
                "securityContext": {
                    "sysctls": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]
                }
            },
            "securityContext.sysctls[1].name",
            'Duplicate value: "a"',
        ),
        (
            {"initContainers": [CONTAINER]},
            "initContainers[0].name",
            'Duplicate value: "c"',
        ),
        (
            {"tolerations": [{"key": "a", "operator": "Like"}]},
            "tolerations[0].operator",
            'supported values: "Equal", "Exists"',
        ),
        (
            {
                "affinity": {
                    "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}
                }
            },
            "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
            "can not be empty",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_a_pod(spec: dict[str, Any], field: str, end: str) -> None:
    obj = msgspec.convert({"spec": {"containers": [CONTAINER]} | spec}, Pod)
    POD.set_defaults(obj)
    found = {c.field: c.message for c in POD.validate(obj)}
    assert f"spec.{field}" in found
    assert found[f"spec.{field}"].endswith(end)


def service(**spec: Any) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": 80}]} | spec}


@pytest.mark.parametrize(
    ("kind", "body", "field", "end"),
    [
        (
            "Service",
            service(type="NodePort", clusterIP="None"),
            "spec.clusterIPs[0]",
            "NodePort services",
        ),
        ("Service", service(type="ExternalName"), "spec.externalName", "Required value"),
        ("Service", service(type="Other"), "spec.type", '"LoadBalancer", "NodePort"'),
        ("Service", service(externalIPs=["169.254.1.1"]), "spec.externalIPs[0]", "fe80::/10)"),
        (
            "Service",
            service(loadBalancerClass="a/b"),
            "spec.loadBalancerClass",
            "is 'LoadBalancer'",
        ),
        ("Service", service(healthCheckNodePort=1), "spec.healthCheckNodePort", "is 'Local'"),
        ("Service", service(internalTrafficPolicy="X"), "spec.internalTrafficPolicy", '"Local"'),
        (
            "Service",
            service(type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0"]),
            "spec.loadBalancerSourceRanges[0]",
            "(e.g. 10.9.8.0/24 or 2001:db8::/64)",
        ),
        (
            "Service",
            service(
                type="NodePort",
                ports=[
                    {"name": "a", "port": 1, "nodePort": 30001},
                    {"name": "b", "port": 2, "nodePort": 30001},
                ],
            ),
            "spec.ports[1].nodePort",
            "Duplicate value: 30001",
        ),
        ("Node", {"spec": {"taints": [{"key": "a"}]}}, "spec.taints[0].effect", "Required value"),
        ("Node", {"spec": {"podCIDR": "10.0.0.0"}}, "spec.podCIDRs[0]", "2001:db8::/64)"),
        ("Lease", {"spec": {"preferredHolder": "a"}}, "spec.preferredHolder", "is defined"),
        (
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["fd00::1"]}], "ports": []},
            "endpoints[0].addresses[0]",
            "must be an IPv4 address",
        ),
        (
            "EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": []}], "ports": []},
            "endpoints[0].addresses",
            "must contain at least 1 address",
        ),
        (
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 1}, {"port": 2}]}]},
            "subsets[0].ports[1].name",
            "Required value",
        ),
        (
            "Event",
            {"involvedObject": {"namespace": "other"}},
            "involvedObject.namespace",
            "event.namespace",
        ),
        ("ReplicationController", {"spec": {"replicas": 1}}, "spec.template", "Required value"),
        (
            "Secret",
            {"type": "kubernetes.io/service-account-token"},
            "metadata.annotations[kubernetes.io/service-account.name]",
            "Required value",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_other_kinds(kind: str, body: dict[str, Any], field: str, end: str) -> None:
    found = next(k for k in KINDS if k.kind == kind)
    obj = msgspec.convert({"metadata": {"name": "n", "namespace": "here"}} | body, found.type)
    found.set_defaults(obj)
    shown = {c.field: c.message for c in found.validate(obj)}
    assert field in shown
    assert shown[field].endswith(end)


def test_a_container_that_ended_for_good_does_not_run_again() -> None:
    def seen(state: dict[str, Any], policy: str = "Never") -> Pod:
        status = {"name": "c", "state": state}
        spec = {"containers": [CONTAINER], "restartPolicy": policy}
        return msgspec.convert({"spec": spec, "status": {"containerStatuses": [status]}}, Pod)

    ended, failed = {"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 1}}
    running: dict[str, Any] = {"running": {}}
    (fault,) = POD.validate_status(seen(running), seen(failed))
    assert fault.field == "status.containerStatuses[0].state"
    assert POD.validate_status(seen(running), seen(failed, "OnFailure")) == []
    assert POD.validate_status(seen(running), seen(ended, "OnFailure")) != []
    assert POD.validate_status(seen(running), seen(ended, "Always")) == []


@pytest.mark.parametrize(
    ("status", "ips"),
    [
        ({"podIP": "10.0.0.1"}, ("10.0.0.1", ["10.0.0.1"])),
        (
            {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]},
            ("10.0.0.1", ["10.0.0.1", "fd00::1"]),
        ),
        ({"podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.1"}]}, ("10.0.0.2", ["10.0.0.2"])),
        ({}, ("", [])),
    ],
)
def test_both_names_of_an_address_agree(status: dict[str, Any], ips: tuple[str, list[str]]) -> None:
    obj = msgspec.convert({"status": status}, Pod)
    POD.set_defaults(obj)
    assert (obj.status.podIP, [p.ip for p in obj.status.podIPs]) == ips
