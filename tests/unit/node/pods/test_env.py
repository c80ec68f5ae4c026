"""The environment of a container."""

import pytest

from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.pod.container import (
    ConfigMapEnvSource,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    ResourceRequirements,
    SecretEnvSource,
)
from appliance.api.kinds.core.references import (
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from appliance.api.kinds.core.secret import Secret
from appliance.api.kinds.core.service import Service, ServicePort, ServiceSpec
from appliance.api.meta import ObjectMeta
from appliance.node.pods.downward import PodFacts
from appliance.node.pods.env import EnvironmentFault, Sources, environment, expand
from appliance.node.pods.service_env import service_variables
from tests.unit.node.stage import pod, wish

FACTS = PodFacts(pod_ip="10.42.0.7", host_ip="192.0.2.1", node_cpus=2)


def service(name: str, *ports: ServicePort, ip: str = "10.0.0.11", ns: str = "default") -> Service:
    return Service(
        metadata=ObjectMeta(name=name, namespace=ns),
        spec=ServiceSpec(clusterIP=ip, ports=list(ports)),
    )


@pytest.mark.seed("S15")
def test_the_seven_variables_of_the_seed() -> None:
    redis = service("redis-master", ServicePort(port=6379, protocol="TCP"))
    assert service_variables(redis) == {
        "REDIS_MASTER_SERVICE_HOST": "10.0.0.11",
        "REDIS_MASTER_SERVICE_PORT": "6379",
        "REDIS_MASTER_PORT": "tcp://10.0.0.11:6379",
        "REDIS_MASTER_PORT_6379_TCP": "tcp://10.0.0.11:6379",
        "REDIS_MASTER_PORT_6379_TCP_PROTO": "tcp",
        "REDIS_MASTER_PORT_6379_TCP_PORT": "6379",
        "REDIS_MASTER_PORT_6379_TCP_ADDR": "10.0.0.11",
    }


def test_each_port_has_its_links_and_the_first_names_the_service() -> None:
    made = service_variables(
        service(
            "dns",
            ServicePort(name="udp-53", port=53, protocol="UDP"),
            ServicePort(name="web", port=80),
            ip="fd00::5",
        )
    )
    assert made["DNS_SERVICE_PORT"] == made["DNS_SERVICE_PORT_UDP_53"] == "53"
    assert made["DNS_SERVICE_PORT_WEB"] == "80"
    assert made["DNS_PORT"] == made["DNS_PORT_53_UDP"] == "udp://[fd00::5]:53"
    assert made["DNS_PORT_80_TCP"] == "tcp://[fd00::5]:80"
    assert made["DNS_PORT_80_TCP_ADDR"] == "fd00::5"


@pytest.mark.seed("S17")
def test_a_pod_sees_its_namespace_and_the_master() -> None:
    services = [
        service("mine", ServicePort(port=1)),
        service("headless", ServicePort(port=1), ip="None"),
        service("other", ServicePort(port=1), ns="elsewhere"),
        service("kubernetes", ServicePort(port=443), ip="10.43.0.1"),
    ]
    own = dict(environment(pod(), wish(), Sources(services=services), FACTS))
    assert own["MINE_SERVICE_HOST"] == "10.0.0.11"
    assert own["KUBERNETES_SERVICE_HOST"] == "10.43.0.1"
    assert not [name for name in own if name.startswith(("OTHER", "HEADLESS"))]
    away = pod()
    away.metadata.namespace = "elsewhere"
    seen = dict(environment(away, wish(), Sources(services=services), FACTS))
    assert "OTHER_SERVICE_HOST" in seen
    assert "KUBERNETES_SERVICE_HOST" in seen
    assert "MINE_SERVICE_HOST" not in seen


def test_without_service_links_only_the_master_is_left() -> None:
    services = [
        service("mine", ServicePort(port=1)),
        service("kubernetes", ServicePort(port=443), ip="10.43.0.1"),
    ]
    seen = environment(pod(enableServiceLinks=False), wish(), Sources(services=services), FACTS)
    assert {name.partition("_")[0] for name, _ in seen} == {"KUBERNETES"}


def test_the_masters_address_comes_from_the_options_while_its_service_is_not_known() -> None:
    sources = Sources(kubernetes_host="10.43.0.1", kubernetes_port=443)
    seen = dict(environment(pod(), wish(), sources, FACTS))
    assert seen["KUBERNETES_SERVICE_HOST"] == "10.43.0.1"


@pytest.mark.seed("C02")
def test_what_the_pod_says_wins() -> None:
    redis = service("redis-master", ServicePort(port=6379))
    one = wish(env=[EnvVar(name="REDIS_MASTER_PORT", value="x")])
    seen = dict(environment(pod(), one, Sources(services=[redis]), FACTS))
    assert seen["REDIS_MASTER_PORT"] == "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$(A)$(B)", "1$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $(", "$A ${A} $("),
        ("x$(A)y", "x1y"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_a_variable_may_use_earlier_ones_only() -> None:
    one = wish(
        env=[
            EnvVar(name="A", value="$(B)"),
            EnvVar(name="B", value="b"),
            EnvVar(name="C", value="$(A)/$(B)"),
        ]
    )
    assert environment(pod(), one, Sources(), FACTS) == (
        ("A", "$(B)"),
        ("B", "b"),
        ("C", "$(B)/b"),
    )


def test_whole_objects_with_a_prefix() -> None:
    one = wish(
        envFrom=[
            EnvFromSource(prefix="CM_", configMapRef=ConfigMapEnvSource(name="cm")),
            EnvFromSource(secretRef=SecretEnvSource(name="s")),
            EnvFromSource(secretRef=SecretEnvSource(name="none", optional=True)),
        ]
    )
    sources = Sources(
        config_maps={"cm": ConfigMap(data={"a": "1"})}, secrets={"s": Secret(data={"b": b"2"})}
    )
    assert environment(pod(), one, sources, FACTS) == (("CM_a", "1"), ("b", "2"))


def test_a_missing_key_is_a_fault_unless_optional() -> None:
    def variable(*, optional: bool) -> EnvVar:
        ref = SecretKeySelector(name="s", key="k", optional=optional)
        return EnvVar(name="A", valueFrom=EnvVarSource(secretKeyRef=ref))

    there = Sources(secrets={"s": Secret(metadata=ObjectMeta(name="s", namespace="default"))})
    with pytest.raises(EnvironmentFault, match="couldn't find key k in Secret default/s"):
        environment(pod(), wish(env=[variable(optional=False)]), there, FACTS)
    with pytest.raises(EnvironmentFault, match='secret "s" not found'):
        environment(pod(), wish(env=[variable(optional=False)]), Sources(), FACTS)
    assert environment(pod(), wish(env=[variable(optional=True)]), Sources(), FACTS) == ()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['none']", ""),
        ("metadata.labels", 'app="web"\nq="say \\"hi\\""'),
        ("spec.nodeName", "n1"),
        ("status.podIP", "10.42.0.7"),
        ("status.hostIP", "192.0.2.1"),
    ],
)
def test_fields_of_the_pod(path: str, expected: str) -> None:
    one = pod()
    one.metadata.labels = {"q": 'say "hi"', "app": "web"}
    source = EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath=path))
    made = environment(one, wish(env=[EnvVar(name="A", valueFrom=source)]), Sources(), FACTS)
    assert made == (("A", expected),)


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.cpu", "0", "1"),
        ("limits.cpu", "1m", "250"),
        ("requests.memory", "1Mi", "64"),
        ("requests.cpu", "1", "0"),
        ("limits.memory", "1Gi", "4"),
    ],
)
def test_fields_of_the_container(resource: str, divisor: str, expected: str) -> None:
    one = wish(
        resources=ResourceRequirements(limits={"cpu": "250m"}, requests={"memory": "64Mi"}),
        env=[
            EnvVar(
                name="A",
                valueFrom=EnvVarSource(
                    resourceFieldRef=ResourceFieldSelector(resource=resource, divisor=divisor)
                ),
            )
        ],
    )
    facts = PodFacts(node_cpus=2, node_memory_bytes=4 << 30)
    assert environment(pod(), one, Sources(), facts) == (("A", expected),)
