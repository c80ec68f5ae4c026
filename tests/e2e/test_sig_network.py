"""What conformance asks of pods' network, services and proxies, by the numbers of 1.36.

Three peers that say who they are, and a client that asks for us: once with rules in the kernel,
once with relays. Names are in `test_sig_network_names`.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from appliance.kit.clock import SystemClock
from appliance.kit.pki import Subject, issue, new_ca
from appliance.node.runtimes.detect import default_endpoint
from tests.lab import peers as lab
from tests.lab.cluster import Cluster, eventually, free_port
from tests.lab.peers import (
    Peers,
    endpoint_addresses,
    from_host,
    peer,
    port,
    service,
    slice_addresses,
)
from tests.lab.pods import Json, many

pytestmark = pytest.mark.slow  # `make e2e`: CI has no room for both engines
PEERS = ("peer-0", "peer-1", "peer-2")
METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture(scope="module", params=["nftables", "userspace"])
def net(
    request: pytest.FixtureRequest,
    engine: str,
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Peers]:
    """A cluster with each proxier, peers in it."""
    lab.load(engine)
    own = None
    if request.param == "userspace":
        flags = ["--proxy-mode", "userspace", "--etcd-listen-client-urls", ""]
        folder = tmp_path_factory.mktemp("userspace")
        own = Cluster(folder, engine, default_endpoint(engine), flags=flags)
        own.start()
    made = Peers(own or cluster)
    try:
        made.start(*(peer(name) for name in PEERS), peer("client", app="client"))
        yield made
        made.cluster.kubectl("delete", "pods,services", "-l", "lab=peers", "--grace-period=0")
    finally:
        if own is not None:
            own.stop()
            own.reset()


@pytest.fixture
def services(net: Peers) -> Iterator[Peers]:
    """Whatever services a test makes, gone at its end."""
    yield net
    net.cluster.kubectl("delete", "services", "-l", "lab=peers")


def all_of(net: Peers, host: str, number: int, *, udp: bool = False) -> set[str]:
    """Who answers the client there in many tries; nobody else may."""
    return set((net.udp if udp else net.tcp)("client", host, number, 12))


def reach(net: Peers, host: str, number: int, who: set[str], *, udp: bool = False) -> None:
    eventually(lambda: all_of(net, host, number, udp=udp) == who, within_s=30)


@pytest.mark.conformance(213, 214)
@pytest.mark.seed("N02")
def test_213_214_every_pod_reaches_every_pod(net: Peers) -> None:
    for one in PEERS:
        for other in PEERS:
            assert net.tcp(one, net.ip(other), 8080) == [other]
            assert net.udp(one, net.ip(other), 8080) == [other]


@pytest.mark.conformance(215, 216)
@pytest.mark.seed("N03")
def test_215_216_the_node_reaches_every_pod(net: Peers) -> None:
    for name in PEERS:
        assert from_host(net.ip(name), 8080) == name
        assert from_host(net.ip(name), 8080, udp=True) == name


@pytest.mark.conformance(191, 192, 232)
@pytest.mark.seed("S18")
def test_191_192_the_master_publishes_itself(net: Peers) -> None:
    cluster = net.cluster
    found = cluster.get("services", "-A")["items"]
    (master,) = [s for s in found if s["metadata"]["name"] == "kubernetes"]
    assert master["metadata"]["namespace"] == "default"
    assert [(p["name"], p["port"]) for p in master["spec"]["ports"]] == [("https", 443)]
    assert endpoint_addresses(cluster, "kubernetes") == {(net.node_ip(), cluster.port)}


@pytest.mark.conformance(203)
def test_203_two_slices_by_hand_with_other_addresses_and_ports(services: Peers) -> None:
    services.make(
        service("by-hand", port(80, name="http"), selector={}),
        by_hand("by-hand-1", [services.ip("peer-0")], {"http": 8080}),
        by_hand("by-hand-2", [services.ip("peer-1")], {"http": 8081}),
    )
    reach(services, services.virtual("by-hand"), 80, {"peer-0", "peer-1"})


@pytest.mark.conformance(204)
def test_204_two_slices_by_hand_with_the_same_address_and_other_ports(services: Peers) -> None:
    address = services.ip("peer-0")
    services.make(
        service("by-hand", port(80, name="one"), port(81, name="two"), selector={}),
        by_hand("by-hand-1", [address], {"one": 8080}),
        by_hand("by-hand-2", [address], {"two": 8081}),
    )
    virtual = services.virtual("by-hand")
    for number in (80, 81):
        reach(services, virtual, number, {"peer-0"})


def by_hand(name: str, addresses: list[str], ports: dict[str, int]) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "by-hand"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": addresses}],
        "ports": [{"name": k, "port": v, "protocol": "TCP"} for k, v in ports.items()],
    }


@pytest.mark.conformance(201, 208, 235)
@pytest.mark.seed("S04")
def test_201_208_235_endpoints_follow_pods(services: Peers) -> None:
    cluster = services.cluster
    services.make(service("follow", port(80), selector={"follow": "yes"}))
    assert endpoint_addresses(cluster, "follow") == set()
    for name in ("peer-0", "peer-1"):
        cluster.kubectl("label", "pod", name, "follow=yes")
    wanted = {(services.ip(n), 8080) for n in ("peer-0", "peer-1")}
    eventually(lambda: endpoint_addresses(cluster, "follow") == wanted)
    reach(services, services.virtual("follow"), 80, {"peer-0", "peer-1"})
    found = cluster.get("endpointslices", "-l", "kubernetes.io/service-name=follow")["items"]
    targets = [e["targetRef"] for one in found for e in one["endpoints"]]
    assert sorted((t["kind"], t["name"]) for t in targets) == [
        ("Pod", "peer-0"),
        ("Pod", "peer-1"),
    ]
    cluster.kubectl("label", "pod", "peer-0", "follow-")
    eventually(lambda: endpoint_addresses(cluster, "follow") == {(services.ip("peer-1"), 8080)})
    reach(services, services.virtual("follow"), 80, {"peer-1"})
    cluster.kubectl("label", "pod", "peer-1", "follow-")
    eventually(lambda: endpoint_addresses(cluster, "follow") == set())
    services.drop("service/follow")
    gone(cluster, "follow")


def gone(cluster: Cluster, name: str) -> None:
    """Endpoints and slices of a service are no more."""
    selector = f"kubernetes.io/service-name={name}"
    eventually(lambda: not cluster.get("endpointslices", "-l", selector)["items"])
    eventually(lambda: cluster.run("get", "endpoints", name).returncode != 0)


@pytest.mark.conformance(202, 209)
def test_202_209_a_service_that_matches_no_pod_has_empty_endpoints(services: Peers) -> None:
    cluster = services.cluster
    services.make(service("none", port(80), selector={"nobody": "here"}))
    selector = "kubernetes.io/service-name=none"
    eventually(lambda: cluster.get("endpointslices", "-l", selector)["items"])
    eventually(lambda: cluster.run("get", "endpoints", "none").returncode == 0)
    assert endpoint_addresses(cluster, "none") == set()
    services.drop("service/none")
    gone(cluster, "none")


@pytest.mark.conformance(206)
@pytest.mark.seed("S05")
def test_206_endpoints_by_hand_are_mirrored(services: Peers) -> None:
    cluster = services.cluster

    def endpoints(address: str) -> Json:
        subset = {"addresses": [{"ip": address}], "ports": [{"port": 8080, "name": "http"}]}
        meta = {"name": "mirrored"}
        return {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": [subset]}

    services.make(service("mirrored", port(80, name="http"), selector={}))
    for name in ("peer-0", "peer-2"):
        cluster.run("apply", "-f", "-", stdin=many(endpoints(services.ip(name))))
        wanted = {(services.ip(name), 8080)}
        eventually(lambda wanted=wanted: slice_addresses(cluster, "mirrored") == wanted)
        reach(services, services.virtual("mirrored"), 80, {name})
    cluster.run("delete", "endpoints", "mirrored")
    eventually(lambda: slice_addresses(cluster, "mirrored") == set())


@pytest.mark.conformance(210)
def test_210_one_host_port_for_other_addresses_and_protocols(net: Peers) -> None:
    number, node = free_port(), net.node_ip()

    def at(name: str, address: str, protocol: str) -> Json:
        mapped = {"containerPort": 8080, "hostPort": number, "hostIP": address}
        return peer(name, app="other", ports=[{**mapped, "protocol": protocol}])

    net.start(
        at("port-1", "127.0.0.1", "TCP"), at("port-2", node, "TCP"), at("port-3", node, "UDP")
    )
    eventually(lambda: from_host("127.0.0.1", number) == "port-1")
    eventually(lambda: from_host(node, number) == "port-2")
    eventually(lambda: from_host(node, number, udp=True) == "port-3")
    net.drop("pod/port-1", "pod/port-2", "pod/port-3")


@pytest.mark.conformance(217, 218)
def test_217_218_the_api_server_passes_every_method_to_pod_and_service(services: Peers) -> None:
    services.make(service("proxied", port(80, name="http")))
    eventually(lambda: slice_addresses(services.cluster, "proxied"))
    base = "/api/v1/namespaces/default"
    for place in ("pods/peer-0:8080", "services/proxied:80"):
        for method in METHODS:
            for path in ("/proxy", "/proxy/some/path?with=query"):
                status, headers, told = services.through_api(method, f"{base}/{place}{path}")
                if status in {301, 302, 307, 308}:
                    assert path == "/proxy"
                    assert headers["location"].endswith("/proxy/")
                    where = f"{base}/{place}/proxy/"
                    status, headers, told = services.through_api(method, where)
                assert (status, headers.get("x-method")) == (200, method), (place, path, told)
                if method != "HEAD" and path != "/proxy":
                    assert told["path"] == "/some/path?with=query"


@pytest.mark.conformance(219)
def test_219_the_api_server_reaches_ports_by_number_name_and_scheme(services: Peers) -> None:
    now = SystemClock().wall()
    pair = issue(new_ca("peer", now=now), Subject(common_name="peer", server=True), now=now)
    services.start(
        peer("secret", app="secret", env={"PEER_TLS": (pair.key_pem + pair.cert_pem).decode()})
    )
    services.make(
        service("plain", port(80, name="http"), port(81, 8081, name="second")),
        service("secure", port(443, 8443, name="tls"), selector={"app": "secret"}),
    )
    for name in ("plain", "secure"):
        eventually(lambda name=name: slice_addresses(services.cluster, name))
    for place, number in (
        ("pods/peer-0:8080", 8080),
        ("pods/http:peer-0:8081", 8081),
        ("pods/https:secret:8443", 8443),
        ("services/plain:80", 8080),
        ("services/plain:http", 8080),
        ("services/http:plain:second", 8081),
        ("services/http:plain:81", 8081),
        ("services/https:secure:443", 8443),
        ("services/https:secure:tls", 8443),
    ):
        status, _, told = services.through_api("GET", f"/api/v1/namespaces/default/{place}/proxy/x")
        assert (status, told.get("port")) == (200, number), (place, told)
    services.drop("pod/secret")


@pytest.mark.conformance(220)
def test_220_endpoints_of_a_hundred_services_come_soon(services: Peers) -> None:
    many_of = [service(f"quick-{n}", port(80)) for n in range(100)]
    begun = time.monotonic()
    services.make(*many_of)

    def covered() -> int:
        found = services.cluster.get("endpoints")["items"]
        return sum(
            bool(e.get("subsets")) for e in found if e["metadata"]["name"].startswith("quick-")
        )

    eventually(lambda: covered() >= 50, within_s=max(1.0, 20 - (time.monotonic() - begun)))
    eventually(lambda: covered() == 100, within_s=max(1.0, 50 - (time.monotonic() - begun)))


@pytest.mark.conformance(227)
def test_227_a_node_port_answers_by_every_address(services: Peers) -> None:
    services.make(service("ported", port(80), type="NodePort"))
    spec = services.cluster.get("service", "ported")["spec"]
    number = spec["ports"][0]["nodePort"]
    assert 30000 <= number <= 32767
    everybody = set(PEERS)
    reach(services, spec["clusterIP"], 80, everybody)
    reach(services, "ported", 80, everybody)
    reach(services, services.node_ip(), number, everybody)
    eventually(lambda: {from_host(services.node_ip(), number) for _ in range(12)} == everybody)


@pytest.mark.conformance(228, 229, 233, 234)
@pytest.mark.seed("S09")
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_228_229_233_234_affinity_holds_and_can_be_switched(services: Peers, kind: str) -> None:
    services.make(service("sticky", port(80), type=kind, sessionAffinity="ClientIP"))
    spec = services.cluster.get("service", "sticky")["spec"]
    where = [(spec["clusterIP"], 80)]
    if kind == "NodePort":
        where.append((services.node_ip(), spec["ports"][0]["nodePort"]))
    for host, number in where:
        eventually(lambda host=host, number=number: all_of(services, host, number) <= set(PEERS))
        assert len(all_of(services, host, number)) == 1
    switch(services, "sticky", {"sessionAffinity": "None"})
    for host, number in where:
        reach(services, host, number, set(PEERS))
    switch(services, "sticky", {"sessionAffinity": "ClientIP"})
    for host, number in where:
        eventually(lambda host=host, number=number: len(all_of(services, host, number)) == 1)


def switch(net: Peers, name: str, spec: Json, kind: str = "merge") -> None:
    patch = json.dumps({"spec": spec})
    net.cluster.kubectl("patch", "service", name, f"--type={kind}", "-p", patch)


@pytest.mark.conformance(223, 226)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_223_226_a_service_becomes_an_external_name(services: Peers, kind: str) -> None:
    services.make(service("turned", port(80), type=kind))
    reach(services, "turned", 80, set(PEERS))
    outside = {"type": "ExternalName", "externalName": "outside.example", "clusterIP": None}
    switch(services, "turned", {**outside, "clusterIPs": None})
    spec = services.cluster.get("service", "turned")["spec"]
    assert not spec.get("clusterIP")
    assert not any(p.get("nodePort") for p in spec.get("ports", []))
    full = "turned.default.svc.cluster.local"
    eventually(lambda: services.dns("client", full, "CNAME") == ["outside.example"])


@pytest.mark.conformance(224, 225)
@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_224_225_an_external_name_becomes_a_service(services: Peers, kind: str) -> None:
    outside: dict[str, Any] = {"type": "ExternalName", "externalName": "outside.example"}
    services.make(service("turned", port(80), selector={}, **outside))
    full = "turned.default.svc.cluster.local"
    eventually(lambda: services.dns("client", full, "CNAME") == ["outside.example"])
    switch(services, "turned", {"type": kind, "externalName": None, "selector": {"app": "peer"}})
    spec = services.cluster.get("service", "turned")["spec"]
    reach(services, spec["clusterIP"], 80, set(PEERS))
    reach(services, "turned", 80, set(PEERS))
    if kind == "NodePort":
        reach(services, services.node_ip(), spec["ports"][0]["nodePort"], set(PEERS))


@pytest.mark.conformance(236)
@pytest.mark.seed("S07")
def test_236_one_port_number_with_two_protocols(services: Peers) -> None:
    both = [port(80, name="t"), port(80, name="u", protocol="UDP")]
    services.make(service("both", *both))
    virtual = services.virtual("both")
    reach(services, virtual, 80, set(PEERS))
    reach(services, virtual, 80, set(PEERS), udp=True)
    switch(services, "both", {"ports": both[1:]})
    eventually(lambda: all("error" in told for told in services.tcp("client", virtual, 80)))
    reach(services, virtual, 80, set(PEERS), udp=True)
    switch(services, "both", {"ports": both[:1]})
    reach(services, virtual, 80, set(PEERS))
    eventually(lambda: all("error" in told for told in services.udp("client", virtual, 80)))


@pytest.mark.conformance(237)
def test_237_each_port_of_a_service_has_its_own_pods(services: Peers) -> None:
    cluster = services.cluster

    def with_port(name: str, number: int) -> Json:
        named = [{"name": f"p{number}", "containerPort": number}]
        return peer(name, app="multi", ports=named)

    ports = port(80, "p8080", name="one"), port(81, "p8081", name="two")
    services.make(service("multi", *ports, selector={"app": "multi"}))
    services.start(with_port("multi-1", 8080), with_port("multi-2", 8081))
    one, two = (services.ip("multi-1"), 8080), (services.ip("multi-2"), 8081)
    eventually(lambda: endpoint_addresses(cluster, "multi") == {one, two})
    virtual = services.virtual("multi")
    reach(services, virtual, 80, {"multi-1"})
    reach(services, virtual, 81, {"multi-2"})
    services.drop("pod/multi-1")
    eventually(lambda: endpoint_addresses(cluster, "multi") == {two})
    services.drop("pod/multi-2")
    eventually(lambda: endpoint_addresses(cluster, "multi") == set())
