"""NetworkPolicy: says who may speak with some pods."""

import ipaddress
import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks, workloads
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject, LabelSelector
from appliance.api.schema import F, Int32, IntOrString, Message, always


class IPBlock(Message):
    """A range of addresses."""

    cidr: Annotated[str, F(1, "The range.", required=True)] = always(str)
    except_: Annotated[list[str], F(2, "Parts of it that are left out.", list_type="atomic")] = (
        msgspec.field(default=[], name="except")
    )


class NetworkPolicyPeer(Message):
    """Some pods, or a range of addresses."""

    podSelector: Annotated[LabelSelector | None, F(1, "Labels of pods.")] = None
    namespaceSelector: Annotated[
        LabelSelector | None, F(2, "Labels of their namespaces; the policy's own unless said.")
    ] = None
    ipBlock: Annotated[IPBlock | None, F(3, "A range of addresses; not with the others.")] = None


class NetworkPolicyPort(Message):
    """A port, or a range of ports."""

    protocol: Annotated[str | None, F(1, "TCP, UDP or SCTP; TCP unless said.")] = None
    port: Annotated[IntOrString | None, F(2, "Number or name; all unless said.")] = None
    endPort: Annotated[Int32 | None, F(3, "Last port of a range that begins at port.")] = None


class NetworkPolicyEgressRule(Message):
    """Allows connections from the pods."""

    ports: Annotated[
        list[NetworkPolicyPort], F(1, "To these ports; to all unless said.", list_type="atomic")
    ] = []
    to: Annotated[
        list[NetworkPolicyPeer], F(2, "To these peers; to all unless said.", list_type="atomic")
    ] = []


class NetworkPolicyIngressRule(Message):
    """Allows connections to the pods."""

    ports: Annotated[
        list[NetworkPolicyPort], F(1, "To these ports; to all unless said.", list_type="atomic")
    ] = []
    from_: Annotated[
        list[NetworkPolicyPeer], F(2, "From these peers; from all unless said.", list_type="atomic")
    ] = msgspec.field(default=[], name="from")


class NetworkPolicySpec(Message):
    """What a network policy says."""

    podSelector: Annotated[
        LabelSelector, F(1, "The pods that it is about; empty for all of the namespace.")
    ] = always(LabelSelector)
    ingress: Annotated[
        list[NetworkPolicyIngressRule],
        F(2, "Who may connect to them; each rule allows more.", list_type="atomic"),
    ] = []
    egress: Annotated[
        list[NetworkPolicyEgressRule],
        F(3, "Whom they may connect to; each rule allows more.", list_type="atomic"),
    ] = []
    policyTypes: Annotated[
        list[str], F(4, "Directions that it is about: Ingress, Egress.", list_type="atomic")
    ] = []


class NetworkPolicy(KubeObject):
    """Says who may speak with some pods."""

    spec: Annotated[NetworkPolicySpec, F(2, "What is wanted.")] = always(NetworkPolicySpec)


PROTOCOLS = ("TCP", "UDP", "SCTP")
DIRECTIONS = ("Ingress", "Egress")


def _cells(obj: NetworkPolicy, now: float) -> list[Any]:
    return [obj.metadata.name, workloads.selector_cell(obj.spec.podSelector), age(obj, now)]


def _set_defaults(obj: NetworkPolicy) -> None:
    spec = obj.spec
    if not spec.policyTypes:
        spec.policyTypes = ["Ingress", "Egress"] if spec.egress else ["Ingress"]
    ports = [*(r.ports for r in spec.ingress), *(r.ports for r in spec.egress)]
    for port in itertools.chain.from_iterable(ports):
        port.protocol = port.protocol or "TCP"


def _validate(obj: NetworkPolicy) -> list[Cause]:
    spec = obj.spec
    found = list(checks.selector(spec.podSelector, "spec.podSelector"))
    for index, coming in enumerate(spec.ingress):
        here = f"spec.ingress[{index}]"
        found += _rule(coming.ports, coming.from_, here, "from")
    for index, going in enumerate(spec.egress):
        found += _rule(going.ports, going.to, f"spec.egress[{index}]", "to")
    if len(spec.policyTypes) > 2:
        why = "may not specify more than two policyTypes"
        found.append(faults.wrong("spec.policyTypes", spec.policyTypes, why))
        return found
    for index, direction in enumerate(spec.policyTypes):
        found += checks.one_of(direction, DIRECTIONS, f"spec.policyTypes[{index}]")
    return found


def _rule(
    ports: Sequence[NetworkPolicyPort], peers: Sequence[NetworkPolicyPeer], path: str, word: str
) -> Iterator[Cause]:
    for index, port in enumerate(ports):
        yield from _port(port, f"{path}.ports[{index}]")
    for index, peer in enumerate(peers):
        yield from _peer(peer, f"{path}.{word}[{index}]")


def _port(found: NetworkPolicyPort, path: str) -> Iterator[Cause]:
    if found.protocol is not None and found.protocol not in PROTOCOLS:
        yield faults.unsupported(f"{path}.protocol", found.protocol, PROTOCOLS)
    end, here = found.endPort, f"{path}.endPort"
    if found.port is None:
        if end is not None:
            yield faults.wrong(here, end, "may not be specified when `port` is not specified")
        return
    yield from checks.port_or_name(found.port, f"{path}.port")
    if end is None:
        return
    if isinstance(found.port, str):
        yield faults.wrong(here, end, "may not be specified when `port` is non-numeric")
        return
    if end < found.port:
        yield faults.wrong(here, found.port, "must be greater than or equal to `port`")
    yield from checks.port(end, here)


def _peer(found: NetworkPolicyPeer, path: str) -> Iterator[Cause]:
    yield from checks.selector(found.podSelector, f"{path}.podSelector")
    yield from checks.selector(found.namespaceSelector, f"{path}.namespaceSelector")
    has_pods = found.podSelector is not None or found.namespaceSelector is not None
    if found.ipBlock is not None:
        yield from _block(found.ipBlock, f"{path}.ipBlock")
        if has_pods:
            yield faults.forbidden(path, "may not specify both ipBlock and another peer")
    elif not has_pods:
        yield faults.required(path, "must specify a peer")


def _block(found: IPBlock, path: str) -> Iterator[Cause]:
    if not found.cidr:
        yield faults.required(f"{path}.cidr")
        return
    wrong = list(checks.cidr(found.cidr, f"{path}.cidr"))
    yield from wrong
    if wrong:
        return
    whole = ipaddress.ip_network(found.cidr, strict=False)
    for index, text in enumerate(found.except_):
        here = f"{path}.except[{index}]"
        wrong = list(checks.cidr(text, here))
        yield from wrong
        if not wrong and not _within(ipaddress.ip_network(text, strict=False), whole):
            yield faults.wrong(here, text, "must be a strict subset of `cidr`")


def _within(part: Any, whole: Any) -> bool:
    return bool(part.version == whole.version and part != whole and part.subnet_of(whole))


def _validate_update(new: NetworkPolicy, _old: NetworkPolicy) -> list[Cause]:
    return _validate(new)


NETWORK_POLICY = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    singular="networkpolicy",
    namespaced=True,
    type=NetworkPolicy,
    short_names=("netpol",),
    columns=(Column("Name", format="name"), Column("Pod-Selector"), Column("Age")),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
)
