from appliance.kit.conntrack import Flow
from appliance.proxy.backends.nft_elements import Elements, elements
from appliance.proxy.backends.nft_flows import stale, touches_udp
from appliance.proxy.table import Endpoint, ServicePort


def dns(*addresses: str, protocol: str = "udp") -> Elements:
    ends = tuple(Endpoint(a, 5353) for a in addresses)
    port = ServicePort(
        namespace="d",
        name="dns",
        port_name="",
        protocol=protocol,
        cluster_ip="10.43.0.9",
        port=53,
        node_port=30053,
        endpoints=ends,
    )
    return elements((port,))


def flow(target: str, port: int, answers: str, answers_port: int = 5353) -> Flow:
    return Flow(target, port, answers, answers_port, b"")


def test_flows_to_endpoints_that_are_gone_are_stale() -> None:
    kept, gone = flow("10.43.0.9", 53, "10.42.0.5"), flow("10.43.0.9", 53, "10.42.0.6")
    port = flow("192.0.2.1", 30053, "10.42.0.6")
    others = flow("9.9.9.9", 53, "9.9.9.9", 53), flow("10.43.0.9", 54, "10.43.0.9", 54)
    assert stale([kept, gone, port, *others], dns("10.42.0.5")) == [gone, port]


def test_a_flow_that_met_nobody_is_stale_when_somebody_comes() -> None:
    lost = flow("10.43.0.9", 53, "10.43.0.9", 53)
    assert stale([lost], dns("10.42.0.5")) == [lost]
    assert touches_udp(dns().of, dns("10.42.0.5").of)


def test_only_changes_that_can_make_flows_wrong_are_looked_at() -> None:
    assert touches_udp(dns("10.42.0.5", "10.42.0.6").of, dns("10.42.0.5").of)
    assert not touches_udp(dns("10.42.0.5").of, dns("10.42.0.5", "10.42.0.6").of)
    tcp = dns("10.42.0.5", protocol="tcp"), dns(protocol="tcp")
    assert not touches_udp(tcp[0].of, tcp[1].of)
