"""What conformance asks of names, by the numbers of 1.36: as pods resolve them.

The C library of a pod asks for addresses; a resolver of ours in the same pod, which goes through
the pod's own resolv.conf, asks for the other types and over TCP.
"""

import json
from collections.abc import Iterator

import pytest

from tests.lab import peers as lab
from tests.lab.cluster import Cluster, eventually
from tests.lab.peers import Peers, peer, port, service
from tests.lab.pods import Json

pytestmark = pytest.mark.slow  # `make e2e`: CI has no room for both engines
DOMAIN = "default.svc.cluster.local"


@pytest.fixture(scope="module")
def net(engine: str, cluster: Cluster) -> Iterator[Peers]:
    lab.load(engine)
    made = Peers(cluster)
    made.start(
        peer("named-0", hostname="first", subdomain="heads", app="named"),
        peer("named-1", app="named"),
        peer("asks", app="asks"),
    )
    made.make(
        service("heads", port(80, name="http"), selector={"app": "named"}, clusterIP="None"),
        service("plain", port(80, name="http"), port(53, name="d", protocol="UDP"),
                selector={"app": "named"}),
    )  # fmt: skip
    eventually(lambda: len(made.dns("asks", f"heads.{DOMAIN}")) == 2)
    yield made
    cluster.kubectl("delete", "pods,services", "-l", "lab=peers", "--grace-period=0")


@pytest.mark.conformance(193)
def test_193_a_pod_finds_itself_in_its_hosts_file(net: Peers) -> None:
    hosts = net.ask("named-0", "/file", path="/etc/hosts")
    lines = [line.split() for line in hosts.splitlines()]
    assert [net.ip("named-0"), f"first.heads.{DOMAIN}", "first"] in lines
    assert ["127.0.0.1", "localhost"] in lines
    assert net.look("named-0", f"first.heads.{DOMAIN}") == [net.ip("named-0")]


@pytest.mark.conformance(195, 196)
def test_195_196_hostname_and_subdomain_are_a_name(net: Peers) -> None:
    full = f"first.heads.{DOMAIN}"
    for who in ("asks", "named-0", "named-1"):
        assert net.look(who, full) == [net.ip("named-0")]
    assert net.dns("asks", full) == [net.ip("named-0")]
    assert net.look("asks", "first.heads") == [net.ip("named-0")]


@pytest.mark.conformance(198)
@pytest.mark.seed("S19", "S20", "S21")
def test_198_the_cluster_itself_has_a_name_over_udp_and_tcp(net: Peers) -> None:
    virtual = [net.virtual("kubernetes")]
    for name in ("kubernetes.default", "kubernetes.default.svc",
                 "kubernetes.default.svc.cluster.local"):  # fmt: skip
        assert net.look("asks", name) == virtual
        for over_tcp in ("", "yes"):
            assert net.dns("asks", name, search="yes", tcp=over_tcp) == virtual


@pytest.mark.conformance(197, 199)
@pytest.mark.seed("S19", "S24")
def test_197_199_services_by_every_length_of_name(net: Peers) -> None:
    pods = sorted([net.ip("named-0"), net.ip("named-1")])
    virtual = [net.virtual("plain")]
    dashed = net.ip("named-1").replace(".", "-")
    heads = [f"8080 {dashed}.heads.{DOMAIN}", f"8080 first.heads.{DOMAIN}"]
    for tail in ("", ".default", ".default.svc", f".{DOMAIN}"):
        assert net.look("asks", f"heads{tail}") == pods
        assert net.look("asks", f"plain{tail}") == virtual
        for over_tcp in ("", "yes"):
            more = {"search": "yes", "tcp": over_tcp}
            assert net.dns("asks", f"_http._tcp.heads{tail}", "SRV", **more) == sorted(heads)
            one = net.dns("asks", f"_http._tcp.plain{tail}", "SRV", **more)
            assert one == [f"80 plain.{DOMAIN}"]
            assert net.dns("asks", f"_d._udp.plain{tail}", "SRV", **more) == [f"53 plain.{DOMAIN}"]
    assert net.dns("asks", reverse(virtual[0]), "PTR") == [f"plain.{DOMAIN}"]
    assert net.dns("asks", reverse(net.ip("named-0")), "PTR") == [f"first.heads.{DOMAIN}"]


def reverse(address: str) -> str:
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


@pytest.mark.conformance(194)
def test_194_an_external_name_is_an_alias_that_can_change(net: Peers) -> None:
    net.make(service("alias", selector={}, type="ExternalName", externalName="one.example"))
    full = f"alias.{DOMAIN}"
    eventually(lambda: net.dns("asks", full, "CNAME") == ["one.example"])
    patch(net, {"externalName": "two.example"})
    eventually(lambda: net.dns("asks", full, "CNAME") == ["two.example"])
    patch(net, {"externalName": f"plain.{DOMAIN}"})
    eventually(lambda: net.look("asks", full) == [net.virtual("plain")])
    ports = [{"port": 80, "protocol": "TCP"}]
    patch(net, {"type": "ClusterIP", "externalName": None, "ports": ports})
    eventually(lambda: net.dns("asks", full) == [net.virtual("alias")])
    assert net.dns("asks", full, "CNAME") == []


def patch(net: Peers, spec: Json) -> None:
    body = json.dumps({"spec": spec})
    net.cluster.kubectl("patch", "service", "alias", "--type=merge", "-p", body)


@pytest.mark.conformance(200)
@pytest.mark.seed("S20")
def test_200_a_pod_names_its_own_servers(net: Peers) -> None:
    config = {"nameservers": ["192.0.2.53"], "searches": ["resolv.conf.local"]}
    net.start(peer("own-dns", app="own", dnsPolicy="None", dnsConfig=config))
    text = net.ask("own-dns", "/file", path="/etc/resolv.conf")
    assert text == "search resolv.conf.local\nnameserver 192.0.2.53\n"


def test_a_name_that_does_not_exist_is_told_to_and_metrics_count(net: Peers) -> None:
    told = net.ask("asks", "/dns", name=f"nobody.{DOMAIN}", type="A")
    assert told["code"] == 3
    raw = net.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{net.cluster.node}/proxy/metrics")
    counted = dict(line.rsplit(" ", 1) for line in raw.splitlines() if line[:1] != "#")
    assert float(counted['dns_answers_total{by="built"}']) > 0
