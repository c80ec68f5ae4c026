from appliance.proxy.backends.nft_affinity import forget, read, remember
from appliance.proxy.backends.nft_elements import elements
from appliance.proxy.backends.nft_rules import change, whole
from appliance.proxy.table import Endpoint, ServicePort


def port(*addresses: str, **more: object) -> ServicePort:
    values: dict[str, object] = {
        "namespace": "d",
        "name": "web",
        "port_name": "",
        "protocol": "tcp",
        "cluster_ip": "10.43.0.9",
        "port": 80,
        "endpoints": tuple(Endpoint(a, 8080, local=True) for a in addresses),
    }
    return ServicePort(**{**values, **more})  # type: ignore[arg-type]


def table(*ports: ServicePort) -> tuple[ServicePort, ...]:
    return ports


def rules_of(chain: str, text: str) -> list[str]:
    body = text.partition(f"chain {chain} {{")[2].partition("}")[0]
    return [line.strip() for line in body.strip().splitlines()]


def test_a_service_is_one_element_and_one_slot_per_endpoint() -> None:
    made = elements(table(port("10.42.0.5", "10.42.0.6")))
    assert made.of["services"] == {"10.43.0.9 . tcp . 80": "goto lb_2"}
    assert made.of["endpoints"] == {
        "0 . 10.43.0.9 . tcp . 80": "10.42.0.5 . 8080",
        "1 . 10.43.0.9 . tcp . 80": "10.42.0.6 . 8080",
    }
    assert made.of["hairpins"] == {"10.42.0.5 . 10.42.0.5": "", "10.42.0.6 . 10.42.0.6": ""}


def test_a_port_without_endpoints_is_refused_at_once() -> None:
    made = elements(table(port(node_port=30080)))
    assert made.of["refused"] == {"10.43.0.9 . tcp . 80": ""}
    assert made.of["refused_nodeports"] == {"tcp . 30080": ""}
    assert made.of["services"] == {}


def test_local_policy_keeps_only_endpoints_of_this_node_and_the_source_address() -> None:
    ends = (Endpoint("10.42.0.5", 8080, local=True), Endpoint("10.42.1.5", 8080))
    made = elements(
        table(
            port(
                node_port=30080, endpoints=ends, local_endpoints=ends[:1], local_only_external=True
            )
        )
    )
    assert made.of["nodeports"] == {"tcp . 30080": "goto np_split_lb_2_1"}
    assert made.of["services"] == {"10.43.0.9 . tcp . 80": "goto lb_2"}
    chain = (
        whole("t", made, "10.42.0.0/16").partition("chain np_split_lb_2_1 {")[2].partition("}")[0]
    )
    rules = [line.strip() for line in chain.strip().splitlines()]
    assert [r for r in rules if "mark" in r] == [
        "fib saddr type local meta mark set meta mark | 0x4000"
    ], "only this node's own packets get its address"
    assert "ip saddr 10.42.0.0/16" in rules[0], "pods may use all"
    assert "mod 1 offset 32768" in rules[-1], "others what is here"


def test_local_policy_without_endpoints_here_drops_and_without_any_refuses() -> None:
    far = (Endpoint("10.42.1.5", 8080),)
    policies = {"local_only_external": True, "local_only_internal": True}
    made = elements(table(port(node_port=30080, endpoints=far, **policies)))
    assert made.of["services"] == {"10.43.0.9 . tcp . 80": "drop"}
    assert made.of["nodeports"] == {"tcp . 30080": "goto np_split_lb_1_0"}
    assert (
        whole("t", made).partition("chain np_split_lb_1_0 {")[2].partition("}")[0].split()[-1]
        == "drop"
    )
    nobody = elements(table(port(node_port=30080, **policies)))
    assert nobody.of["refused"] == {"10.43.0.9 . tcp . 80": ""}


def test_what_comes_from_outside_by_an_address_gets_this_nodes() -> None:
    made = elements(
        table(port("10.42.0.5", external_ips=("192.0.2.1",), balancer_ips=("192.0.2.2",)))
    )
    assert made.of["services"] == {
        "10.43.0.9 . tcp . 80": "goto lb_1",
        "192.0.2.1 . tcp . 80": "goto hide_lb_1",
        "192.0.2.2 . tcp . 80": "goto hide_lb_1",
    }


def test_a_load_balancers_fence_lets_named_networks_and_the_node_itself_in() -> None:
    made = elements(
        table(
            port(
                "10.42.0.5",
                external_ips=("192.0.2.1",),
                balancer_ips=("192.0.2.2",),
                allowed_sources=("198.51.100.0/24", "198.51.100.0/25", "2001:db8::/32"),
            )
        )
    )
    key = "192.0.2.2 . tcp . 80"
    assert made.of["fenced"] == {key: ""}
    assert set(made.of["welcome"]) == {f"{key} . 192.0.2.2/32", f"{key} . 198.51.100.0/24"}


def test_nothing_changed_is_no_text() -> None:
    made = elements(table(port("10.42.0.5")))
    assert change("t", made, elements(table(port("10.42.0.5"))), have=made.chains) == ""


def test_one_more_endpoint_is_a_handful_of_elements() -> None:
    old = elements(table(port("10.42.0.5")))
    text = change("t", old, elements(table(port("10.42.0.5", "10.42.0.6"))), have=old.chains)
    statements = [line for line in text.splitlines() if "element" in line]
    assert statements == [
        "delete element ip t services { 10.43.0.9 . tcp . 80 }",
        "add element ip t services { 10.43.0.9 . tcp . 80 : goto lb_2 }",
        "add element ip t endpoints { 1 . 10.43.0.9 . tcp . 80 : 10.42.0.6 . 8080 }",
        "add element ip t hairpins { 10.42.0.6 . 10.42.0.6 }",
    ]
    assert "chain lb_2" in text


def test_affinity_is_looked_up_first_and_learned_for_as_long_as_the_service_says() -> None:
    made = elements(table(port("10.42.0.5", "10.42.0.6", affinity_s=60, node_port=30080)))
    assert made.of["services"] == {"10.43.0.9 . tcp . 80": "goto aff_2"}
    assert made.of["sticky"] == {"10.43.0.9 . tcp . 80": "goto stick_60"}
    assert made.of["sticky_nodeports"] == {"tcp . 30080": "goto stick_60"}
    chain = whole("t", made).partition("chain aff_2 {")[2].partition("}")[0]
    assert chain.index("map @affinity") < chain.index("numgen random mod 2")
    assert "timeout 60s" in whole("t", made).partition("chain stick_60 {")[2].partition("}\n")[0]


def test_a_client_may_stick_to_what_is_an_endpoint_still() -> None:
    stuck = elements(table(port("10.42.0.5", affinity_s=60, node_port=30080))).stuck
    listed = [{"metainfo": {}}, {"map": {"elem": [
        learned("10.0.0.1", "10.43.0.9", 80, "10.42.0.5"),
        learned("10.0.0.2", "10.43.0.9", 80, "10.42.0.6"),
        learned("10.0.0.3", "192.0.2.7", 30080, "10.42.0.5"),
        learned("10.0.0.4", "192.0.2.7", 30081, "10.42.0.5"),
    ]}}]  # fmt: skip
    sticks = list(read(listed))
    assert [s.client for s in sticks if s.fits(stuck)] == ["10.0.0.1", "10.0.0.3"]
    assert forget("t", sticks[1:2]) == (
        "delete element ip t affinity { 10.0.0.2 . 10.43.0.9 . tcp . 80 }"
    )
    assert remember("t", sticks[:1]) == (
        "add element ip t affinity { 10.0.0.1 . 10.43.0.9 . tcp . 80 timeout 60s expires 40s"
        " : 10.42.0.5 . 8080 }"
    )


def learned(client: str, address: str, number: int, endpoint: str) -> list[object]:
    """An element as libnftables lists it."""
    key = {"val": {"concat": [client, address, 6, number]}, "timeout": 60, "expires": 40}
    return [{"elem": key}, {"concat": [endpoint, 8080]}]


def test_only_ipv4_goes_into_the_ipv4_table() -> None:
    made = elements(table(port("fd00::5", cluster_ip="fd00::9")))
    assert all(not items for items in made.of.values())
