"""The zone follows Services and EndpointSlices: at once, in few rounds, and only what changed."""

from typing import Any

import msgspec

from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE, EndpointSlice
from appliance.client.base import clone
from appliance.proxy.dns import wire
from appliance.proxy.dns.base import Question, RCode, RType
from appliance.proxy.dns.keeper import EVERY_S, ZoneKeeper
from appliance.proxy.dns.responder import Responder
from appliance.proxy.dns.zone import Zone
from tests.unit.control.cluster import cluster
from tests.unit.proxy.dns.test_server import NoUpstream

DOMAIN = "cluster.local"


def service(name: str, **spec: Any) -> Service:
    body = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
    return msgspec.convert(body, Service)


def slice_of(owner: str, *addresses: str) -> EndpointSlice:
    labels = {"kubernetes.io/service-name": owner}
    body = {
        "metadata": {"name": f"{owner}-1", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses],
    }
    return msgspec.convert(body, EndpointSlice)


def said(responder: Responder, name: str) -> tuple[RCode, list[str]]:
    packet = wire.question(Question(f"{name}.{DOMAIN}.", RType.A), 1)
    reply = responder.quick(packet)
    assert reply is not None
    code, records = wire.answers(reply)
    return code, sorted(data for _, _, data in records)


async def test_names_follow_the_api_and_a_storm_of_changes_is_folded() -> None:
    async with cluster() as plane:
        responder = Responder(Zone(DOMAIN), NoUpstream())
        keeper = ZoneKeeper(plane.informers, responder, clock=plane.clock)
        assert said(responder, "db.default.svc")[0] == RCode.SERVFAIL
        await plane.start()
        _ = plane.tasks.spawn("names", keeper.run())
        await plane.settle()
        assert said(responder, "db.default.svc")[0] == RCode.NXDOMAIN
        db = service("db", clusterIP="None", ports=[{"port": 80}])
        other = service("other", clusterIP="None", ports=[{"port": 80}])
        for one in (db, other):
            await plane.client.create(SERVICE, one, namespace="default")
        await plane.client.create(ENDPOINT_SLICE, slice_of("db", "10.42.0.1"), namespace="default")
        await plane.client.create(
            ENDPOINT_SLICE, slice_of("other", "10.42.9.9"), namespace="default"
        )
        await plane.settle()
        await plane.advance(2 * EVERY_S)
        assert said(responder, "db.default.svc") == (RCode.NOERROR, ["10.42.0.1"])
        assert said(responder, "10-1-2-3.default.pod") == (RCode.NOERROR, ["10.1.2.3"])
        assert said(responder, "other.default.svc") == (RCode.NOERROR, ["10.42.9.9"])

        built = responder.counts.built
        for number in range(100):
            found = await plane.client.get(ENDPOINT_SLICE, "db-1", namespace="default")
            changed = clone(found)
            changed.endpoints = slice_of("db", f"10.42.1.{number}").endpoints
            await plane.client.update(ENDPOINT_SLICE, changed)
        await plane.settle()
        await plane.advance(2 * EVERY_S)
        assert said(responder, "db.default.svc") == (RCode.NOERROR, ["10.42.1.99"])
        assert responder.counts.built == built + 1
        assert said(responder, "other.default.svc") == (RCode.NOERROR, ["10.42.9.9"])
        assert responder.counts.built == built + 1, "what did not change stays packed"

        await plane.client.delete(SERVICE, "db", namespace="default")
        await plane.settle()
        await plane.advance(2 * EVERY_S)
        assert said(responder, "db.default.svc")[0] == RCode.NXDOMAIN
