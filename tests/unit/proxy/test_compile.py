from collections.abc import Sequence
from typing import Any

import msgspec

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.core.service_spec import LoadBalancerIngress
from appliance.api.kinds.discovery.endpointslice import EndpointSlice
from appliance.proxy.compile import Viewpoint, compile_service
from appliance.proxy.table import Endpoint, HealthCheck, ServicePort


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


HERE = Viewpoint("a")


def ports_of(
    service: Service, slices: Sequence[EndpointSlice] = (), view: Viewpoint = HERE
) -> tuple[ServicePort, ...]:
    entry = compile_service(service, slices, view)
    assert entry is not None
    return entry.ports


def endpoints_of(*slices: EndpointSlice, **spec: Any) -> tuple[Endpoint, ...]:
    return ports_of(service(**spec), slices)[0].endpoints


def test_a_service_gets_the_ready_endpoints_of_its_slices() -> None:
    found = endpoints_of(
        endpoint_slice(at("10.42.0.6"), at("10.42.0.5")),
        endpoint_slice(at("10.42.1.5", node="b"), at("10.42.1.6", ready=False)),
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
    headless = service("a", clusterIP="None")
    elsewhere = service("b", clusterIP="", type="ExternalName", externalName="example.org")
    for one in (headless, elsewhere):
        assert compile_service(one, [], Viewpoint("a")) is None


def test_ports_of_one_service_are_rows_of_their_own_and_sorted() -> None:
    ports = [
        {"name": "b", "port": 2, "protocol": "UDP"},
        {"name": "a", "port": 1, "nodePort": 30001},
    ]
    made = ports_of(service(ports=ports))
    assert [(p.port_name, p.protocol, p.port, p.node_port) for p in made] == [
        ("a", "tcp", 1, 30001),
        ("b", "udp", 2, 0),
    ]


def test_affinity_and_traffic_policies_are_carried_over() -> None:
    (port,) = ports_of(
        service(
            sessionAffinity="ClientIP",
            externalTrafficPolicy="Local",
            internalTrafficPolicy="Local",
            externalIPs=["192.0.2.1"],
        )
    )
    assert port.affinity_s == 10800
    assert port.local_only_external
    assert port.local_only_internal
    assert port.external_ips == ("192.0.2.1",)


def hinted(address: str, *, nodes: Sequence[str] = (), zones: Sequence[str] = ()) -> dict[str, Any]:
    hints = {"forNodes": [{"name": n} for n in nodes], "forZones": [{"name": z} for z in zones]}
    return {**at(address, ready=True), "hints": hints}


def seen_from(zone: str, *endpoints: dict[str, Any]) -> list[str]:
    view = Viewpoint("a", zone)
    (port,) = ports_of(service(), [endpoint_slice(*endpoints)], view)
    return [e.address for e in port.endpoints]


def test_hints_for_our_zone_are_followed_if_everybody_has_some() -> None:
    east, west = hinted("10.42.0.5", zones=["east"]), hinted("10.42.0.6", zones=["west"])
    assert seen_from("east", east, west) == ["10.42.0.5"]
    assert len(seen_from("", east, west)) == 2, "a node without a zone uses all"
    assert len(seen_from("north", east, west)) == 2, "nothing is for it"
    assert len(seen_from("east", east, west, hinted("10.42.0.7"))) == 3, "half written"


def test_hints_for_our_node_come_first() -> None:
    mine = hinted("10.42.0.5", nodes=["a"], zones=["east"])
    other = hinted("10.42.0.6", nodes=["b"], zones=["east"])
    assert seen_from("east", mine, other) == ["10.42.0.5"]
    elsewhere = hinted("10.42.0.7", nodes=["c"], zones=["east"])
    assert seen_from("east", other, elsewhere) == ["10.42.0.6", "10.42.0.7"], "then the zone"


def test_what_terminates_here_serves_local_traffic_while_others_stay() -> None:
    leaving = at("10.42.0.5", ready=False, serving=True, terminating=True)
    slices = [endpoint_slice(leaving, at("10.42.1.5", node="b", ready=True))]
    (port,) = ports_of(service(), slices)
    assert [e.address for e in port.endpoints] == ["10.42.1.5"]
    assert [e.address for e in port.local_endpoints] == ["10.42.0.5"]


def test_a_balancers_health_check_counts_ready_endpoints_of_this_node() -> None:
    leaving = at("10.42.0.7", ready=False, serving=True, terminating=True)
    slices = [endpoint_slice(at("10.42.0.5"), at("10.42.0.6"), at("10.42.1.5", node="b"), leaving)]
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000}
    table = compile_service(service(**spec), slices, Viewpoint("a"))
    assert table is not None
    assert table.check == HealthCheck(namespace="d", name="web", port=31000, local_endpoints=2)
    other = compile_service(service(), slices, Viewpoint("a"))
    assert other is not None
    assert other.check is None


def test_a_balancer_that_sends_on_by_itself_is_not_caught() -> None:
    made = service(type="LoadBalancer")
    made.status.loadBalancer.ingress = [
        LoadBalancerIngress(ip="192.0.2.1", ipMode="VIP"),
        LoadBalancerIngress(ip="192.0.2.2", ipMode="Proxy"),
    ]
    (port,) = ports_of(made)
    assert port.balancer_ips == ("192.0.2.1",)
