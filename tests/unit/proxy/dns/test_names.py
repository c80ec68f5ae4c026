"""Names as the Kubernetes DNS specification 1.1 gives them."""

import ipaddress
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.discovery.endpointslice import EndpointSlice
from appliance.proxy.dns.base import Answer, Question, RCode, Record, RType
from appliance.proxy.dns.names import records_of
from appliance.proxy.dns.zone import Zone

DOMAIN = "cluster.local"
RANGES = [ipaddress.ip_network(text) for text in ("10.42.0.0/16", "10.43.0.0/16", "fd00:43::/108")]


def service(name: str, **spec: Any) -> Service:
    data = {"metadata": {"name": name, "namespace": "d"}, "spec": spec}
    return msgspec.convert(data, Service)


def slice_of(
    owner: str, *endpoints: dict[str, Any], kind: str = "IPv4", ports: Any = None
) -> EndpointSlice:
    data = {
        "metadata": {"namespace": "d", "labels": {"kubernetes.io/service-name": owner}},
        "addressType": kind,
        "endpoints": list(endpoints),
        "ports": ports or [{"name": "http", "protocol": "TCP", "port": 8080}],
    }
    return msgspec.convert(data, EndpointSlice)


def zone_of(
    services: list[Service], slices: list[EndpointSlice] | None = None, *, complete: bool = True
) -> Zone:
    zone = Zone(DOMAIN, ranges=RANGES, dns="10.43.0.10")
    zone.complete = complete
    for one in services:
        own = [
            s
            for s in slices or ()
            if s.metadata.labels["kubernetes.io/service-name"] == one.metadata.name
        ]
        _ = zone.put("d", one.metadata.name, records_of(one, own, DOMAIN))
    return zone


HTTP = [{"name": "http", "port": 80}]
DB = slice_of(
    "db",
    {"addresses": ["10.42.0.5"], "hostname": "db-0"},
    {"addresses": ["10.42.0.6"]},
    {"addresses": ["10.42.0.7"], "conditions": {"ready": False}},
)


@pytest.fixture
def zone() -> Zone:
    return zone_of(
        [
            service("web", clusterIP="10.43.0.9", ports=[*HTTP, {"name": "", "port": 81}]),
            service("db", clusterIP="None", ports=HTTP),
            service("out", type="ExternalName", externalName="Example.org"),
            service("none", clusterIP="None", ports=HTTP),
        ],
        [DB],
    )


def ask(zone: Zone, name: str, rtype: RType) -> Answer:
    found = zone.answer(Question(name, rtype))
    assert found is not None
    return found


def data(answer: Answer) -> list[Any]:
    return [r.data for r in answer.records]


@pytest.mark.seed("S19")
def test_a_service_has_its_cluster_address(zone: Zone) -> None:
    assert data(ask(zone, "web.d.svc.cluster.local.", RType.A)) == ["10.43.0.9"]


@pytest.mark.seed("S19")
def test_a_named_port_has_an_srv_record_with_the_address_beside_it(zone: Zone) -> None:
    found = ask(zone, "_http._tcp.web.d.svc.cluster.local.", RType.SRV)
    assert data(found) == [(0, 100, 80, "web.d.svc.cluster.local.")]
    assert [r.data for r in found.extra] == ["10.43.0.9"]


def test_a_port_without_name_or_of_another_protocol_has_no_srv_record(zone: Zone) -> None:
    for name in ("_http._udp.web.d.svc.cluster.local.", "_x._tcp.web.d.svc.cluster.local."):
        assert ask(zone, name, RType.SRV).code == RCode.NXDOMAIN


@pytest.mark.seed("S24")
def test_a_headless_service_has_its_ready_endpoints_and_their_names(zone: Zone) -> None:
    assert data(ask(zone, "db.d.svc.cluster.local.", RType.A)) == ["10.42.0.5", "10.42.0.6"]
    assert data(ask(zone, "db-0.db.d.svc.cluster.local.", RType.A)) == ["10.42.0.5"]
    assert data(ask(zone, "10-42-0-6.db.d.svc.cluster.local.", RType.A)) == ["10.42.0.6"]
    srv = ask(zone, "_http._tcp.db.d.svc.cluster.local.", RType.SRV)
    assert sorted(d[3] for d in data(srv)) == [
        "10-42-0-6.db.d.svc.cluster.local.",
        "db-0.db.d.svc.cluster.local.",
    ]
    assert {d[2] for d in data(srv)} == {8080}, "the port that the endpoint listens on"
    assert sorted(str(r.data) for r in srv.extra) == ["10.42.0.5", "10.42.0.6"]


def test_a_headless_service_without_ready_endpoints_does_not_exist(zone: Zone) -> None:
    assert ask(zone, "none.d.svc.cluster.local.", RType.A).code == RCode.NXDOMAIN


def test_endpoints_that_are_not_ready_have_names_if_the_service_says_so() -> None:
    zone = zone_of([service("db", clusterIP="None", publishNotReadyAddresses=True)], [DB])
    assert "10.42.0.7" in data(ask(zone, "db.d.svc.cluster.local.", RType.A))


def test_an_external_name_is_an_alias_that_is_to_be_followed(zone: Zone) -> None:
    found = ask(zone, "out.d.svc.cluster.local.", RType.A)
    assert (data(found), found.follow) == (["example.org."], "example.org.")
    asked = ask(zone, "out.d.svc.cluster.local.", RType.CNAME)
    assert (data(asked), asked.follow) == (["example.org."], "")


def test_an_alias_of_a_cluster_name_comes_with_its_addresses() -> None:
    names = {"a": "b.d.svc.cluster.local", "b": "web.d.svc.cluster.local",
             "gone": "no.d.svc.cluster.local", "x": "y.d.svc.cluster.local",
             "y": "x.d.svc.cluster.local"}  # fmt: skip
    aliases = [service(n, type="ExternalName", externalName=to) for n, to in names.items()]
    zone = zone_of([service("web", clusterIP="10.43.0.9", ports=HTTP), *aliases])
    found = ask(zone, "a.d.svc.cluster.local.", RType.A)
    assert data(found) == ["b.d.svc.cluster.local.", "web.d.svc.cluster.local.", "10.43.0.9"]
    assert not found.whole
    assert ask(zone, "gone.d.svc.cluster.local.", RType.A).code == RCode.NXDOMAIN
    assert ask(zone, "x.d.svc.cluster.local.", RType.A).code == RCode.SERVFAIL, "a circle"


def test_addresses_have_names(zone: Zone) -> None:
    assert data(ask(zone, "9.0.43.10.in-addr.arpa.", RType.PTR)) == ["web.d.svc.cluster.local."]
    assert data(ask(zone, "5.0.42.10.in-addr.arpa.", RType.PTR)) == ["db-0.db.d.svc.cluster.local."]
    (unnamed,) = data(ask(zone, "6.0.42.10.in-addr.arpa.", RType.PTR))
    assert unnamed == "10-42-0-6.db.d.svc.cluster.local."


def test_an_address_of_ours_without_a_name_is_not_asked_elsewhere(zone: Zone) -> None:
    nobody = ask(zone, "99.1.42.10.in-addr.arpa.", RType.PTR)
    assert (nobody.code, nobody.authority_zone) == (RCode.NXDOMAIN, "42.10.in-addr.arpa")
    above = ask(zone, "0.43.10.in-addr.arpa.", RType.PTR)
    assert (above.code, above.authority_zone) == (RCode.NOERROR, "43.10.in-addr.arpa")
    assert zone.answer(Question("1.2.0.192.in-addr.arpa.", RType.PTR)) is None
    assert zone.answer(Question("10.in-addr.arpa.", RType.PTR)) is None
    six = ipaddress.ip_address("fd00:43::7").reverse_pointer + "."
    assert ask(zone, six, RType.PTR).code == RCode.NXDOMAIN


def test_both_families_have_their_records() -> None:
    both = service("web", clusterIP="10.43.0.9", clusterIPs=["10.43.0.9", "fd00:43::9"], ports=HTTP)
    six = slice_of("db", {"addresses": ["FD00:42::5"], "hostname": "db-0"}, kind="IPv6")
    zone = zone_of([both, service("db", clusterIP="None", ports=HTTP)], [DB, six])
    name = "web.d.svc.cluster.local."
    assert data(ask(zone, name, RType.A)) == ["10.43.0.9"]
    assert data(ask(zone, name, RType.AAAA)) == ["fd00:43::9"]
    assert data(ask(zone, "db-0.db.d.svc.cluster.local.", RType.AAAA)) == ["fd00:42::5"]
    assert data(ask(zone, "db-0.db.d.svc.cluster.local.", RType.A)) == ["10.42.0.5"]
    reverse = ipaddress.ip_address("fd00:43::9").reverse_pointer + "."
    assert data(ask(zone, reverse, RType.PTR)) == [name]
    srv = ask(zone, "_http._tcp.web.d.svc.cluster.local.", RType.SRV)
    assert [r.data for r in srv.extra] == ["10.43.0.9", "fd00:43::9"]


def test_a_pod_address_is_a_name_in_known_namespaces_only(zone: Zone) -> None:
    assert data(ask(zone, "10-42-0-5.d.pod.cluster.local.", RType.A)) == ["10.42.0.5"]
    assert data(ask(zone, "fd00-42--5.d.pod.cluster.local.", RType.AAAA)) == ["fd00:42::5"]
    assert data(ask(zone, "10-42-0-5.d.pod.cluster.local.", RType.AAAA)) == []
    for missing in ("10-42-0-5.e.pod", "10-42-0-500.d.pod", "web.d.pod", "1.10-42-0-5.d.pod"):
        assert ask(zone, f"{missing}.cluster.local.", RType.A).code == RCode.NXDOMAIN


def test_a_name_without_such_a_record_is_no_data_and_an_unknown_name_is_no_such_name(
    zone: Zone,
) -> None:
    nodata = ask(zone, "web.d.svc.cluster.local.", RType.AAAA)
    assert (nodata.code, nodata.records, nodata.authority_zone) == (
        RCode.NOERROR,
        (),
        "cluster.local",
    )
    parent = ask(zone, "d.svc.cluster.local.", RType.A)
    assert parent.code == RCode.NOERROR
    missing = ask(zone, "nope.d.svc.cluster.local.", RType.A)
    assert (missing.code, missing.authority_zone) == (RCode.NXDOMAIN, "cluster.local")


def test_the_zone_says_who_it_is(zone: Zone) -> None:
    assert data(ask(zone, "dns-version.cluster.local.", RType.TXT)) == ["1.1.0"]
    assert data(ask(zone, "cluster.local.", RType.NS)) == ["ns.dns.cluster.local."]
    assert data(ask(zone, "ns.dns.cluster.local.", RType.A)) == ["10.43.0.10"]
    assert ask(zone, "cluster.local.", RType.SOA).records
    assert ask(zone, "cluster.local.", RType.A).authority_zone == "cluster.local"


def test_other_names_are_not_ours(zone: Zone) -> None:
    for name in ("example.org.", "local.", "notcluster.local.", ".", "arpa."):
        assert zone.answer(Question(name, RType.A)) is None


def test_before_the_api_was_heard_a_name_is_unknown_not_absent() -> None:
    zone = zone_of([service("web", clusterIP="10.43.0.9", ports=HTTP)], complete=False)
    assert ask(zone, "nope.d.svc.cluster.local.", RType.A).code == RCode.SERVFAIL
    assert ask(zone, "1.0.43.10.in-addr.arpa.", RType.PTR).code == RCode.SERVFAIL
    assert data(ask(zone, "web.d.svc.cluster.local.", RType.A)) == ["10.43.0.9"]


def test_a_change_names_what_it_changed_and_no_more() -> None:
    zone = zone_of([service("web", clusterIP="10.43.0.9"), service("db", clusterIP="None")], [DB])
    web = records_of(service("web", clusterIP="10.43.0.9"), (), DOMAIN)
    assert zone.put("d", "web", web) == set()
    moved = records_of(service("web", clusterIP="10.43.0.8"), (), DOMAIN)
    assert zone.put("d", "web", moved) == {
        "web.d.svc.cluster.local.",
        "9.0.43.10.in-addr.arpa.",
        "8.0.43.10.in-addr.arpa.",
    }
    assert {"10-42-0-6.db.d.svc.cluster.local.", "db.d.svc.cluster.local."} <= zone.put(
        "d", "db", None
    )
    gone = zone.put("d", "web", None)
    assert "d.svc.cluster.local." in gone, "parents end, too"
    assert not zone.has_namespace("d")
    assert zone.put("d", "web", None) == set()
    assert ask(zone, "d.svc.cluster.local.", RType.A).code == RCode.NXDOMAIN


def test_two_services_of_one_address_share_its_name_once() -> None:
    zone = zone_of([], [])
    record = Record("5.0.42.10.in-addr.arpa.", RType.PTR, 5, "a.")
    _ = zone.put("d", "one", (record,))
    _ = zone.put("d", "two", (record,))
    assert data(ask(zone, record.name, RType.PTR)) == ["a."]
    _ = zone.put("d", "one", None)
    assert data(ask(zone, record.name, RType.PTR)) == ["a."]


@pytest.mark.parametrize(
    "bad",
    [
        service("x", clusterIP="10.43.0.300", clusterIPs=["nonsense", ""], ports=HTTP),
        service("x", clusterIP="None", ports=[{"name": "p", "port": 70000}]),
        service("x", type="ExternalName", externalName="..."),
        service("x", type="ExternalName"),
        service("x"),
    ],
)
def test_a_malformed_service_has_no_names_and_does_no_harm(bad: Service) -> None:
    odd = slice_of("x", {"addresses": ["example.org", "10.42.0.500"]}, kind="FQDN")
    empty = msgspec.convert(
        {"metadata": {"namespace": "d", "labels": {"kubernetes.io/service-name": "x"}}},
        EndpointSlice,
    )
    zone = zone_of([bad], [odd, empty])
    assert ask(zone, "x.d.svc.cluster.local.", RType.A).code in {RCode.NXDOMAIN, RCode.NOERROR}
    assert ask(zone, "x.d.svc.cluster.local.", RType.A).records == ()
