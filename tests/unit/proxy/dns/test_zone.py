"""Names as the Kubernetes DNS specification 1.1 gives them."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.discovery.endpointslice import EndpointSlice
from appliance.proxy.dns.base import Answer, Question, RCode, RType
from appliance.proxy.dns.zone import Zone, build


def service(name: str, **spec: Any) -> Service:
    data = {"metadata": {"name": name, "namespace": "d"}, "spec": spec}
    return msgspec.convert(data, Service)


def slice_of(owner: str, *endpoints: dict[str, Any]) -> EndpointSlice:
    data = {
        "metadata": {"namespace": "d", "labels": {"kubernetes.io/service-name": owner}},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }
    return msgspec.convert(data, EndpointSlice)


@pytest.fixture
def zone() -> Zone:
    services = [
        service("web", clusterIP="10.43.0.9", ports=[{"name": "http", "port": 80}]),
        service("db", clusterIP="None", ports=[{"name": "http", "port": 80}]),
        service("out", type="ExternalName", externalName="example.org"),
    ]
    slices = [
        slice_of(
            "db",
            {"addresses": ["10.42.0.5"], "hostname": "db-0"},
            {"addresses": ["10.42.0.6"]},
            {"addresses": ["10.42.0.7"], "conditions": {"ready": False}},
        )
    ]
    return build(services, slices, "cluster.local")


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


def test_a_headless_service_has_its_ready_endpoints_and_their_names(zone: Zone) -> None:
    assert data(ask(zone, "db.d.svc.cluster.local.", RType.A)) == ["10.42.0.5", "10.42.0.6"]
    assert data(ask(zone, "db-0.db.d.svc.cluster.local.", RType.A)) == ["10.42.0.5"]
    srv = ask(zone, "_http._tcp.db.d.svc.cluster.local.", RType.SRV)
    assert sorted(d[3] for d in data(srv)) == [
        "10-42-0-6.db.d.svc.cluster.local.",
        "db-0.db.d.svc.cluster.local.",
    ]


def test_an_external_name_is_an_alias(zone: Zone) -> None:
    assert data(ask(zone, "out.d.svc.cluster.local.", RType.A)) == ["example.org."]


def test_addresses_have_names(zone: Zone) -> None:
    assert data(ask(zone, "9.0.43.10.in-addr.arpa.", RType.PTR)) == ["web.d.svc.cluster.local."]
    assert data(ask(zone, "5.0.42.10.in-addr.arpa.", RType.PTR)) == ["db-0.db.d.svc.cluster.local."]


def test_a_pod_address_is_a_name_in_known_namespaces_only(zone: Zone) -> None:
    assert data(ask(zone, "10-42-0-5.d.pod.cluster.local.", RType.A)) == ["10.42.0.5"]
    assert ask(zone, "10-42-0-5.e.pod.cluster.local.", RType.A).code == RCode.NXDOMAIN


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


def test_other_names_are_not_ours(zone: Zone) -> None:
    assert zone.answer(Question("example.org.", RType.A)) is None
    assert zone.answer(Question("1.2.0.192.in-addr.arpa.", RType.PTR)) is None


def test_the_version_of_the_schema_is_told(zone: Zone) -> None:
    assert data(ask(zone, "dns-version.cluster.local.", RType.TXT)) == ["1.1.0"]
