"""One pure function per rule: does the pod fit the node, or why not.

Each gives the reasons in upstream's words (`kubectl describe` shows them, people search for
them); no reason means that it fits. `FILTERS` is the order; the first that objects speaks for
the node. Adding a rule is adding a function and a line.
"""

from collections.abc import Callable

from appliance.api import nodeaffinity, taints
from appliance.api.hostports import HostPort
from appliance.api.kinds.core.node import Taint
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.snapshot import Amounts, NodeView
from appliance.control.scheduler.topology import Survey

Reasons = tuple[str, ...]
FITS: Reasons = ()


class Wanted:
    """A pod with what is worked out of it once, not once per node."""

    __slots__ = ("pod", "ports", "requests", "survey")

    def __init__(
        self, pod: Pod, requests: Amounts, ports: tuple[HostPort, ...], survey: Survey
    ) -> None:
        self.pod = pod
        self.requests = requests
        self.ports = ports
        self.survey = survey


def schedulable(wanted: Wanted, node: NodeView) -> Reasons:
    """`kubectl cordon` keeps new pods away."""
    cordon = Taint(key=taints.UNSCHEDULABLE, effect=taints.NO_SCHEDULE)
    if not node.node.spec.unschedulable or taints.is_tolerated(cordon, wanted.pod.spec.tolerations):
        return FITS
    return ("node(s) were unschedulable",)


def tolerated(wanted: Wanted, node: NodeView) -> Reasons:
    """Taints that forbid need a toleration."""
    effects = (taints.NO_SCHEDULE, taints.NO_EXECUTE)
    left = taints.untolerated(node.node.spec.taints, wanted.pod.spec.tolerations, effects)
    if not left:
        return FITS
    return (f"node(s) had untolerated taint {{{left[0].key}: {left[0].value}}}",)


def affine(wanted: Wanted, node: NodeView) -> Reasons:
    """NodeSelector and required node affinity."""
    if nodeaffinity.allows(wanted.pod.spec, node.node):
        return FITS
    return ("node(s) didn't match Pod's node affinity/selector",)


def ports_free(wanted: Wanted, node: NodeView) -> Reasons:
    """Two pods never share a host port."""
    if any(port.clashes(taken) for port in wanted.ports for taken in node.host_ports):
        return ("node(s) didn't have free ports for the requested pod ports",)
    return FITS


def room(wanted: Wanted, node: NodeView) -> Reasons:
    """Requests must fit into what is allocatable; a node that names no amount has none."""
    short = []
    for name, amount in wanted.requests.items():
        if amount and node.requested.get(name, 0) + amount > node.allocatable.get(name, 0):
            short.append("Too many pods" if name == "pods" else f"Insufficient {name}")
    return tuple(short)


def spread_evenly(wanted: Wanted, node: NodeView) -> Reasons:
    """Hard topology spread constraints."""
    for spread in wanted.survey.spreads:
        if not spread.is_hard:
            continue
        value = node.node.metadata.labels.get(spread.key)
        words = "node(s) didn't match pod topology spread constraints"
        if value is None:
            return (f"{words} (missing required label)",)
        if spread.skew(value) > spread.max_skew:
            return (words,)
    return FITS


def in_company(wanted: Wanted, node: NodeView) -> Reasons:
    """Required affinity and anti-affinity between pods, of this one and against it."""
    labels = node.node.metadata.labels
    for term, values, is_first in wanted.survey.near:
        value = labels.get(term.key)
        if value is None or (value not in values and not is_first):
            return ("node(s) didn't match pod affinity rules",)
    if any(labels.get(key) == value for key, value in wanted.survey.apart):
        return ("node(s) didn't match pod anti-affinity rules",)
    if any(labels.get(key) == value for key, value in wanted.survey.repelled):
        return ("node(s) didn't satisfy existing pods anti-affinity rules",)
    return FITS


FILTERS: tuple[Callable[[Wanted, NodeView], Reasons], ...] = (
    schedulable,
    tolerated,
    affine,
    ports_free,
    room,
    spread_evenly,
    in_company,
)


def why_not(wanted: Wanted, node: NodeView) -> Reasons:
    """Reasons of the first rule that objects; nothing if the pod fits."""
    for rule in FILTERS:
        if reasons := rule(wanted, node):
            return reasons
    return FITS
