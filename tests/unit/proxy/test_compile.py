from typing import Any

import msgspec

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.discovery.endpointslice import EndpointSlice
from appliance.proxy.compile import compile_table
from appliance.proxy.table import Endpoint


def service(name: str = "web", **spec: Any) -> Service:
    body = {"clusterIP": "10.43.0.9", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
    data = {"metadata": {"name": name, "namespace": "d"}, "spec": {**body, **spec}}
    return msgspec.convert(data, Service)


def endpoint_slice(
    *endpoints: dict[str, Any], owner: str = "web", port: int = 8080
) -> EndpointSlice:
    data = {
        "metadata": {
            "name": f"{owner}-1",
            "namespace": "d",
            "labels": {"kubernetes.io/service-name": owner},
        },
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "port": port}],
    }
    return msgspec.convert(data, EndpointSlice)


def at(address: str, node: str = "a", **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def endpoints_of(*slices: EndpointSlice, **spec: Any) -> tuple[Endpoint, ...]:
    return compile_table([service(**spec)], slices, node_name="a").ports[0].endpoints


def test_a_service_gets_the_ready_endpoints_of_its_slices() -> None:
    found = endpoints_of(
        endpoint_slice(at("10.42.0.6"), at("10.42.0.5")),
        endpoint_slice(at("10.42.1.5", node="b"), at("10.42.1.6", ready=False)),
        endpoint_slice(at("10.42.0.99"), owner="other"),
    )
    assert found == (
        Endpoint("10.42.0.5", 8080, local=True),
        Endpoint("10.42.0.6", 8080, local=True),
        Endpoint("10.42.1.5", 8080, local=False),
    )


def test_terminating_endpoints_serve_only_when_none_is_ready() -> None:
    leaving = at("10.42.0.5", ready=False, serving=True, terminating=True)
    assert [e.address for e in endpoints_of(endpoint_slice(leaving))] == ["10.42.0.5"]
    both = endpoint_slice(leaving, at("10.42.0.6", ready=True))
    assert [e.address for e in endpoints_of(both)] == ["10.42.0.6"]


def test_headless_and_external_services_have_no_row() -> None:
    services = [
        service("a", clusterIP="None"),
        service("b", clusterIP="", type="ExternalName", externalName="example.org"),
    ]
    assert compile_table(services, [], node_name="a").ports == ()


def test_ports_of_one_service_are_rows_of_their_own_and_sorted() -> None:
    ports = [
        {"name": "b", "port": 2, "protocol": "UDP"},
        {"name": "a", "port": 1, "nodePort": 30001},
    ]
    table = compile_table([service(ports=ports)], [], node_name="a")
    assert [(p.port_name, p.protocol, p.port, p.node_port) for p in table.ports] == [
        ("a", "tcp", 1, 30001),
        ("b", "udp", 2, 0),
    ]


def test_affinity_and_traffic_policies_are_carried_over() -> None:
    (port,) = compile_table(
        [
            service(
                sessionAffinity="ClientIP",
                externalTrafficPolicy="Local",
                internalTrafficPolicy="Local",
                externalIPs=["192.0.2.1"],
            )
        ],
        [],
        node_name="a",
    ).ports
    assert port.affinity_s == 10800
    assert port.local_only_external
    assert port.local_only_internal
    assert port.external_ips == ("192.0.2.1",)
