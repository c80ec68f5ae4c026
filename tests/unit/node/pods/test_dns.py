"""resolv.conf and hosts of a pod."""

import pytest

from appliance.api.kinds.core.pod.spec import HostAlias, PodDNSConfig, PodDNSConfigOption
from appliance.node.pods.dns import (
    ClusterDns,
    Resolver,
    hostname,
    hosts,
    parse_resolv_conf,
    resolv_conf,
    resolver,
)
from tests.unit.node.stage import pod

CLUSTER = ClusterDns("10.43.0.10", "cluster.local")
HOST = Resolver(("192.0.2.53",), ("example.org",), ("timeout:2",))


def test_a_pod_asks_the_cluster_first() -> None:
    assert resolv_conf(resolver(pod(), CLUSTER, HOST)) == (
        "search default.svc.cluster.local svc.cluster.local cluster.local example.org\n"
        "nameserver 10.43.0.10\n"
        "options ndots:5\n"
    )


@pytest.mark.parametrize(
    ("policy", "host_network", "nameserver"),
    [
        ("ClusterFirst", False, "10.43.0.10"),
        ("ClusterFirst", True, "192.0.2.53"),
        ("ClusterFirstWithHostNet", True, "10.43.0.10"),
        ("Default", False, "192.0.2.53"),
    ],
)
def test_policies(policy: str, host_network: bool, nameserver: str) -> None:
    one = pod(dnsPolicy=policy, hostNetwork=host_network)
    assert resolver(one, CLUSTER, HOST).nameservers == (nameserver,)


def test_dns_config_adds_and_overrides() -> None:
    extra = PodDNSConfig(
        nameservers=["192.0.2.1"],
        searches=["a.b", "cluster.local"],
        options=[PodDNSConfigOption(name="ndots", value="2"), PodDNSConfigOption(name="edns0")],
    )
    made = resolver(pod(dnsConfig=extra), CLUSTER, Resolver())
    assert made.nameservers == ("10.43.0.10", "192.0.2.1")
    assert made.searches[-2:] == ("cluster.local", "a.b")
    assert made.options == ("ndots:2", "edns0")
    alone = resolver(pod(dnsPolicy="None", dnsConfig=extra), CLUSTER, HOST)
    assert alone.nameservers == ("192.0.2.1",)


def test_the_hosts_file_names_the_pod() -> None:
    one = pod(subdomain="sub", hostAliases=[HostAlias(ip="192.0.2.9", hostnames=["nine", "neuf"])])
    lines = hosts(one, "10.42.0.7", "cluster.local").splitlines()
    assert "127.0.0.1\tlocalhost" in lines
    assert "10.42.0.7\tp.sub.default.svc.cluster.local\tp" in lines
    assert "192.0.2.9\tnine\tneuf" in lines


def test_the_host_name_is_the_pods_name_cut_at_63() -> None:
    assert hostname(pod()) == "p"
    assert hostname(pod(hostname="other")) == "other"
    assert hostname(pod(name="a" * 62 + "-bcd")) == "a" * 62


def test_a_hosts_file_is_read_as_the_resolver_reads_it() -> None:
    text = "# no\nsearch a\nnameserver 192.0.2.1\nsearch b c\noptions x y\nnonsense\n"
    assert parse_resolv_conf(text) == Resolver(("192.0.2.1",), ("b", "c"), ("x", "y"))
