"""Services, slices and pods as a table of names: the Kubernetes DNS specification 1.1. Pure.

<svc>.<ns>.svc.<domain>                A   cluster address; headless: every ready endpoint
<host>.<svc>.<ns>.svc.<domain>         A   one endpoint of a headless service
_<port>._<proto>.<svc>.<ns>.svc.…      SRV
<svc>.<ns>.svc.<domain>                CNAME for ExternalName
1-2-3-4.<ns>.pod.<domain>              A   1.2.3.4
<reversed>.in-addr.arpa                PTR of service addresses and headless endpoints
dns-version.<domain>                   TXT 1.1.0
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.discovery.endpointslice import Endpoint, EndpointSlice
from appliance.proxy.compile import SERVICE_NAME_LABEL, cluster_ips
from appliance.proxy.dns.base import Answer, Question, RCode, Record, RType

TTL_S = 5  # short: endpoints change
_SCHEMA = "1.1.0"


@dataclass(slots=True)
class Zone:
    """Every name we own: `records` by name, and names that exist only as parents."""

    domain: str
    records: dict[str, list[Record]] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)

    def add(self, record: Record) -> None:
        """Put in a record and make its parents exist (RFC 8020: no NXDOMAIN above a name)."""
        known = self.records.setdefault(record.name, [])
        if record not in known:
            known.append(record)
        rest = record.name.partition(".")[2]
        while rest and rest not in self.parents:
            self.parents.add(rest)
            rest = rest.partition(".")[2]

    def answer(self, question: Question) -> Answer | None:
        """Answer for names of the cluster; None for all others."""
        name = question.name
        if name in self.records:
            return self._found(name, question.rtype)
        if not name.endswith(f".{self.domain}.") and name != f"{self.domain}.":
            return None  # also reverse names that are not ours: upstream may know them
        if (pod := self._pod(name)) is not None:
            return self._select([pod], question.rtype)
        if name in self.parents or name == f"{self.domain}.":
            return Answer(authority_zone=self.domain)
        return Answer(RCode.NXDOMAIN, authority_zone=self.domain)

    def _found(self, name: str, rtype: int) -> Answer:
        return self._select(self.records[name], rtype)

    def _select(self, records: list[Record], rtype: int) -> Answer:
        alias = next((r for r in records if r.rtype == RType.CNAME), None)
        if alias is not None:
            return Answer(records=(alias,))
        found = tuple(r for r in records if rtype in {r.rtype, RType.ANY})
        if not found:
            return Answer(authority_zone=self.domain)
        targets = {r.data[3] for r in found if isinstance(r.data, tuple)}
        extra = tuple(
            r for t in sorted(targets) for r in self.records.get(t, ()) if r.rtype != RType.SRV
        )
        return Answer(records=found, extra=extra)

    def _pod(self, name: str) -> Record | None:
        labels = name.removesuffix(f".{self.domain}.").split(".")
        if len(labels) != 3 or labels[2] != "pod" or labels[1] not in self.namespaces:
            return None
        try:
            address = ip_address(labels[0].replace("-", "."))
        except ValueError:
            return None
        return Record(name, RType.A, TTL_S, str(address))


def build(services: Iterable[Service], slices: Iterable[EndpointSlice], domain: str) -> Zone:
    """Make the zone of a cluster domain such as `cluster.local`."""
    zone = Zone(domain)
    zone.add(Record(f"dns-version.{domain}.", RType.TXT, TTL_S, _SCHEMA))
    by_service: dict[tuple[str, str], list[EndpointSlice]] = {}
    for one in slices:
        if owner := one.metadata.labels.get(SERVICE_NAME_LABEL):
            by_service.setdefault((one.metadata.namespace, owner), []).append(one)
    for service in services:
        meta = service.metadata
        zone.namespaces.add(meta.namespace)
        base = f"{meta.name}.{meta.namespace}.svc.{domain}."
        if service.spec.type == "ExternalName":
            target = service.spec.externalName.rstrip(".") + "."
            zone.add(Record(base, RType.CNAME, TTL_S, target))
        elif addresses := cluster_ips(service):
            _virtual(zone, service, base, addresses)
        else:
            publish = service.spec.publishNotReadyAddresses
            for one in by_service.get((meta.namespace, meta.name), ()):
                _headless(zone, one, base, publish=publish)
    return zone


def _virtual(zone: Zone, service: Service, base: str, addresses: list[str]) -> None:
    for address in addresses:
        _address(zone, base, address)
        _reverse(zone, address, base)
    for port in service.spec.ports:
        if port.name:
            _srv(zone, base, (port.name, port.protocol or "TCP", port.port), base)


def _headless(zone: Zone, one: EndpointSlice, base: str, *, publish: bool) -> None:
    for endpoint in one.endpoints or ():
        if endpoint.conditions.ready is False and not publish:
            continue
        for address in endpoint.addresses:
            name = f"{_host(endpoint, address)}.{base}"
            _address(zone, base, address)
            _address(zone, name, address)
            if endpoint.hostname:
                _reverse(zone, address, name)
            for port in one.ports or ():
                if port.name and port.port:
                    _srv(zone, base, (port.name, port.protocol or "TCP", port.port), name)


def _host(endpoint: Endpoint, address: str) -> str:
    # Endpoints without a host name get one made of their address, as CoreDNS does.
    return endpoint.hostname or address.replace(".", "-").replace(":", "-")


def _address(zone: Zone, name: str, address: str) -> None:
    rtype = RType.A if ip_address(address).version == 4 else RType.AAAA
    zone.add(Record(name, rtype, TTL_S, address))


def _reverse(zone: Zone, address: str, target: str) -> None:
    zone.add(Record(ip_address(address).reverse_pointer + ".", RType.PTR, TTL_S, target))


def _srv(zone: Zone, base: str, port: tuple[str, str, int], target: str) -> None:
    name, protocol, number = port
    record = Record(
        f"_{name}._{protocol.lower()}.{base}", RType.SRV, TTL_S, (0, 100, number, target)
    )
    zone.add(record)
