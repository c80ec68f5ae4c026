"""What the relay process is told."""

from dataclasses import replace

from appliance.proxy.backends.relayplan import fronts, outer_addresses
from appliance.proxy.table import Endpoint, ServicePort, ServiceTable, table_of

WEB = ServicePort(
    namespace="d",
    name="web",
    port_name="",
    protocol="tcp",
    cluster_ip="10.43.0.9",
    port=80,
    node_port=30080,
    external_ips=("203.0.113.8",),
    balancer_ips=("198.18.1.1",),
    endpoints=(Endpoint("10.42.0.5", 8080, local=True), Endpoint("10.42.1.5", 8080)),
    local_endpoints=(Endpoint("10.42.0.5", 8080, local=True),),
)
BOTH, NEAR = [["10.42.0.5", 8080], ["10.42.1.5", 8080]], [["10.42.0.5", 8080]]


def test_each_way_in_is_a_front() -> None:
    found = fronts([WEB])
    names = {"10.43.0.9 80", "203.0.113.8 80", "198.18.1.1 80", "0.0.0.0 30080"}
    assert set(found) == {f"tcp {name}" for name in names}
    assert all(plan == {"inside": BOTH} for plan in found.values())


def test_policies_and_fences_are_told() -> None:
    port = replace(
        WEB, local_only_external=True, local_only_internal=True, allowed_sources=("192.0.2.0/24",)
    )
    found = fronts([port])
    assert found["tcp 10.43.0.9 80"] == {"inside": NEAR}
    assert found["tcp 0.0.0.0 30080"] == {"inside": BOTH, "outside": NEAR}
    assert found["tcp 198.18.1.1 80"]["allowed"] == ["192.0.2.0/24", "198.18.1.1"]
    assert "allowed" not in found["tcp 203.0.113.8 80"]


def test_nobody_behind_it_is_no_front() -> None:
    assert fronts([replace(WEB, endpoints=(), local_endpoints=())]) == {}


def test_no_address_is_taken_that_is_a_nodes_or_the_api_servers() -> None:
    assert outer_addresses(table_of(WEB)) == {"203.0.113.8"}
    api = replace(WEB, name="kubernetes", external_ips=(), endpoints=(Endpoint("192.0.2.1", 6443),))
    greedy = replace(WEB, external_ips=("192.0.2.1", "192.0.2.2", "203.0.113.8"))
    table = table_of(greedy, api)
    table = ServiceTable(table.entries, hosts=frozenset({"192.0.2.2"}))
    assert outer_addresses(table) == {"203.0.113.8"}
