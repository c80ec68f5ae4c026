"""Every name that is ours, and what is to be said of it. Pure.

Records are put in and taken out by the service that they belong to, so a change costs as much as
that service is large. Beside them stand names that no record is kept for: pods by their address
(1-2-3-4.<ns>.pod.<domain>), names that exist only as parents, and addresses of the cluster's own
ranges, of which nobody outside knows anything.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address

from appliance.proxy.dns.base import Answer, Question, RCode, Record, RType
from appliance.proxy.dns.names import TTL_S

_SCHEMA = "1.1.0"
_ALIASES_MAX = 8
"""Aliases that are followed from one question."""
Network = IPv4Network | IPv6Network


class Zone:
    """The names under `domain`, and of addresses in `ranges`; `dns` is where it is answered.

    Until `complete` is set, what is not there may only be not known yet.
    """

    def __init__(self, domain: str, *, ranges: Iterable[Network] = (), dns: str = "") -> None:
        self.domain = domain
        self.complete = False
        self._apex = f"{domain}."
        self._under = f".{domain}."
        self._reverse = {zone: network for network in ranges for zone in _reverse_zones(network)}
        self._records: dict[str, list[Record]] = {}
        self._owned: dict[str, tuple[Record, ...]] = {}
        self._parents: Counter[str] = Counter()
        self._namespaces: Counter[str] = Counter()
        _ = self.put("", "", tuple(_own_records(domain, dns)))

    def __len__(self) -> int:
        """How many names have records."""
        return len(self._records)

    def put(self, namespace: str, name: str, records: tuple[Record, ...] | None) -> set[str]:
        """Let a service have just these records, or None: be gone; gives names that changed.

        A changed name may be one without records: a parent that came to be or ceased.
        """
        owner = f"{namespace}/{name}"
        old = self._owned.get(owner)
        if old == records:
            return set()
        changed: set[str] = set()
        # What comes is put in first, so that parents that stay don't end in between.
        before, after = set(old or ()), set(records or ())
        for record in (records or ()) if not before else sorted(after - before, key=_order):
            self._add(record, changed)
        for record in before - after:
            self._remove(record, changed)
        if records is None:
            del self._owned[owner]
            self._namespaces -= Counter({namespace: 1})
        else:
            self._owned[owner] = records
            self._namespaces[namespace] += old is None
        return changed

    def has_namespace(self, namespace: str) -> bool:
        """Whether some service is in it."""
        return self._namespaces[namespace] > 0

    def answer(self, question: Question) -> Answer | None:
        """Answer for names of the cluster; None for all others."""
        name = question.name
        if (records := self._records.get(name)) is not None:
            return self._select(records, question.rtype)
        if not name.endswith(self._under):
            return self._address_name(name)
        if not self.complete:
            return Answer(RCode.SERVFAIL)
        if (pod := self._pod(name)) is not None:
            return self._select([pod], question.rtype)
        if name in self._parents:
            return Answer(authority_zone=self.domain)
        return Answer(RCode.NXDOMAIN, authority_zone=self.domain)

    def _select(self, records: list[Record], rtype: int) -> Answer:
        alias = next((r for r in records if r.rtype == RType.CNAME), None)
        if alias is not None and rtype not in {RType.CNAME, RType.ANY}:
            return self._followed(alias, rtype)
        # two services may have the very same record: of one address, say
        found = tuple(dict.fromkeys(r for r in records if rtype in {r.rtype, RType.ANY}))
        if not found:
            return Answer(authority_zone=self._authority(records[0].name))
        targets = dict.fromkeys(r.data[3] for r in found if isinstance(r.data, tuple))
        extra = dict.fromkeys(
            r for t in targets for r in self._records.get(t, ()) if r.rtype != RType.SRV
        )
        return Answer(records=found, extra=tuple(extra))

    def _followed(self, alias: Record, rtype: int) -> Answer:
        """An alias with what it leads to, as far as that is ours."""
        chain = [alias]
        for _ in range(_ALIASES_MAX):
            target = str(chain[-1].data)
            records = self._records.get(target)
            if records is None:
                break
            further = next((r for r in records if r.rtype == RType.CNAME), None)
            if further is None:
                return Answer(
                    records=(*chain, *(r for r in records if r.rtype == rtype)), whole=False
                )
            chain.append(further)
        else:
            return Answer(RCode.SERVFAIL)  # they lead in a circle
        ours = target.endswith(self._under)
        code = RCode.NXDOMAIN if ours and target not in self._parents else RCode.NOERROR
        return Answer(code, records=tuple(chain), follow="" if ours else target, whole=False)

    def _pod(self, name: str) -> Record | None:
        labels = name.removesuffix(self._under).split(".")
        if len(labels) != 3 or labels[2] != "pod" or not self.has_namespace(labels[1]):
            return None
        for dot in (".", ":"):
            try:
                address = ip_address(labels[0].replace("-", dot))
            except ValueError:
                continue
            rtype = RType.A if address.version == 4 else RType.AAAA
            return Record(name, rtype, TTL_S, str(address))
        return None

    def _address_name(self, name: str) -> Answer | None:
        """Addresses of ours that have no name; other reverse names upstream may know."""
        if not name.endswith(".arpa."):
            return None
        zone = self._reverse_zone(name)
        if not zone:
            return None
        if not self.complete:
            return Answer(RCode.SERVFAIL)
        if name in self._parents or name == f"{zone}.":
            return Answer(authority_zone=zone)
        return Answer(RCode.NXDOMAIN, authority_zone=zone)

    def _reverse_zone(self, name: str) -> str:
        rest = name.rstrip(".")
        while rest:
            if rest in self._reverse:
                return rest
            rest = rest.partition(".")[2]
        return ""

    def _authority(self, name: str) -> str:
        return self._reverse_zone(name) or self.domain

    def _add(self, record: Record, changed: set[str]) -> None:
        changed.add(record.name)
        self._records.setdefault(record.name, []).append(record)
        for parent in _parents(record.name):
            if not self._parents[parent]:
                changed.add(parent)  # RFC 8020: it exists now, without records of its own
            self._parents[parent] += 1

    def _remove(self, record: Record, changed: set[str]) -> None:
        changed.add(record.name)
        there = self._records[record.name]
        there.remove(record)
        if not there:
            del self._records[record.name]
        for parent in _parents(record.name):
            self._parents[parent] -= 1
            if not self._parents[parent]:
                del self._parents[parent]
                changed.add(parent)


def _order(record: Record) -> tuple[str, str]:
    return record.name, str(record.data)


def _own_records(domain: str, dns: str) -> Iterator[Record]:
    apex = f"{domain}."
    yield Record(f"dns-version.{apex}", RType.TXT, TTL_S, _SCHEMA)
    yield Record(apex, RType.SOA, TTL_S, domain)
    yield Record(apex, RType.NS, TTL_S, f"ns.dns.{apex}")
    if dns:
        rtype = RType.A if ip_address(dns).version == 4 else RType.AAAA
        yield Record(f"ns.dns.{apex}", rtype, TTL_S, dns)


def _parents(name: str) -> Iterator[str]:
    rest = name.partition(".")[2]
    while rest:
        yield rest
        rest = rest.partition(".")[2]


def _reverse_zones(network: Network) -> Iterator[str]:
    """The zones of reverse names that a network fills: one per byte, or per four bits of IPv6.

    >>> list(_reverse_zones(IPv4Network("10.43.0.0/16")))
    ['43.10.in-addr.arpa']
    """
    step = 8 if network.version == 4 else 4
    whole = -(-network.prefixlen // step) * step
    if isinstance(network, IPv6Network):
        nets: Iterable[Network] = network.subnets(new_prefix=whole)
    else:
        nets = network.subnets(new_prefix=whole)
    labels = (32 if network.version == 4 else 128) // step - whole // step
    for net in nets:
        yield net.network_address.reverse_pointer.split(".", labels)[labels]
