"""The cluster as the scheduler sees it: nodes, what is on them, and counts over domains.

`Snapshot` is brought up to date by one change at a time, so that a choice costs nothing per pod
that is already there. The loop puts in what its caches hear, and pods at once when they are given
a node (assumed there until the cache shows it). Filters and scores only read. `trying` takes pods
out or puts them in for a moment, to ask what would be; it undoes that.

    place(pod) ─► NodeView.free, ports           per node
               ├► Tally.counts[domain]           what pods ask about others, TALLIES_MAX of them
               ├► groups[group][node]            pods that stand in for each other
               └► stances                        what pods that are there ask of those to come

Tallies are made when first asked for and forgotten when labels or taints of a node change.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from appliance.api import taints
from appliance.api.hostports import HostPort
from appliance.api.kinds.core.node import Node
from appliance.control.scheduler.podinfo import CPU, MEMORY, Amounts, PodInfo, amounts
from appliance.control.scheduler.tallies import Stances, Tally
from appliance.control.scheduler.terms import Cover, Namespaces

ZONE = "topology.kubernetes.io/zone"

TALLIES_MAX = 1024
"""Different questions about domains that are kept up to date; those asked last stay."""

Eligible = Callable[[Node], bool]


class NodeView:
    """A node with what is on it."""

    __slots__ = (
        "allocatable",
        "cpu",
        "cpu_scale",
        "free",
        "labels",
        "memory",
        "memory_scale",
        "name",
        "node",
        "pods",
        "ports",
        "revision",
    )

    def __init__(self, node: Node) -> None:
        self.revision = 0
        """Grows whenever labels or taints change."""
        self.pods: dict[str, PodInfo] = {}
        self.free: dict[str, int] = {}
        """Of each resource what no pod has asked for."""
        self.ports: list[HostPort] = []
        self.cpu = self.memory = 0
        """Of CPU and memory what is taken to be used when nodes are compared; times the scale it
        is a share."""
        self.set(node)

    def set(self, node: Node) -> None:
        """The node has changed."""
        self.node = node
        self.name = node.metadata.name
        self.labels = node.metadata.labels
        self.allocatable: Amounts = amounts(node.status.allocatable or node.status.capacity)
        self.free = dict(self.allocatable)
        for info in self.pods.values():
            self._take(info, 1)
        # A node that names no amount has none: anything fills it.
        self.cpu_scale = 1.0 / (self.allocatable.get(CPU, 0) or 1)
        self.memory_scale = 1.0 / (self.allocatable.get(MEMORY, 0) or 1)

    def add(self, info: PodInfo) -> None:
        """A pod has come."""
        self.pods[info.uid] = info
        self._take(info, 1)
        self.ports.extend(info.ports)
        self.cpu += info.cpu
        self.memory += info.memory

    def remove(self, info: PodInfo) -> None:
        """A pod has left."""
        del self.pods[info.uid]
        self._take(info, -1)
        for port in info.ports:
            self.ports.remove(port)
        self.cpu -= info.cpu
        self.memory -= info.memory

    def _take(self, info: PodInfo, sign: int) -> None:
        free = self.free
        for name, amount in info.requests.items():
            free[name] = free.get(name, 0) - sign * amount


class Snapshot:
    """All nodes and all pods that hold room on them."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeView] = {}
        self.revision = 0
        """Grows whenever nodes come, go, or change in what they say to pods by themselves."""
        self.images: dict[str, dict[str, int]] = {}
        """Image -> node that has it -> size in bytes."""
        self.shunned: set[str] = set()
        """Nodes with taints that only repel."""
        self.namespaces: Namespaces = {}
        self.groups: dict[str, Counter[str]] = {}
        """Group of pods -> node -> how many are there."""
        self.priorities: Counter[int] = Counter()
        """How many pods hold room at each priority: is there anybody to push out?"""
        self.stances = Stances()
        self.nominated: dict[str, dict[str, PodInfo]] = {}
        """Node -> pods for which room is being made there."""
        self._placed: dict[str, tuple[str, PodInfo]] = {}
        self._homeless: dict[str, dict[str, PodInfo]] = {}
        """Pods on nodes that we do not know (yet)."""
        self._order: list[NodeView] = []
        self._tallies: OrderedDict[object, Tally] = OrderedDict()
        self._by_namespace: dict[str, list[Tally]] = {}
        self._everywhere: list[Tally] = []

    @property
    def order(self) -> Sequence[NodeView]:
        """All nodes, zones taking turns: a sample of neighbours is then of all zones."""
        if not self._order and self.nodes:
            zones: dict[str, list[NodeView]] = {}
            for view in self.nodes.values():
                zones.setdefault(view.labels.get(ZONE, ""), []).append(view)
            deep = max(map(len, zones.values()))
            self._order = [z[at] for at in range(deep) for z in zones.values() if at < len(z)]
        return self._order

    def set_node(self, node: Node) -> None:
        """A node is new or has changed."""
        name = node.metadata.name
        view = self.nodes.get(name)
        if view is None:
            self.nodes[name] = NodeView(node)
            self._said_anew(node)
            self._list_images(None, node)
            for info in self._homeless.pop(name, {}).values():
                self._placed.pop(info.uid)
                self.place(info, name)
            return
        before = view.node
        view.set(node)
        if before.metadata.labels != node.metadata.labels or before.spec != node.spec:
            self._relabel(view, before)
        if before.status.images != node.status.images:
            self._list_images(before, node)

    def remove_node(self, name: str) -> None:
        """A node has gone; its pods wait for it to come back, or to be removed."""
        view = self.nodes.get(name)
        if view is None:
            return
        infos = list(view.pods.values())
        for info in infos:
            self.remove(info.uid)
        del self.nodes[name]
        self._said_anew(None, gone=name)
        self._list_images(view.node, None)
        for info in infos:
            self.place(info, name)

    def place(self, info: PodInfo, node: str) -> None:
        """A pod is on a node, or will be; what was known of it before is replaced."""
        known = self._placed.get(info.uid)
        if known is not None:
            if known == (node, info):
                return
            self.remove(info.uid)
        self._placed[info.uid] = (node, info)
        view = self.nodes.get(node)
        if view is None:
            self._homeless.setdefault(node, {})[info.uid] = info
            return
        view.add(info)
        self.priorities[info.priority] += 1
        if info.group:
            self.groups.setdefault(info.group, Counter())[node] += 1
        self.stances.count(info, view.labels, 1)
        self._count(info, view, 1)

    def remove(self, uid: str) -> PodInfo | None:
        """A pod has left its node; returns it."""
        known = self._placed.pop(uid, None)
        if known is None:
            return None
        node, info = known
        view = self.nodes.get(node)
        if view is None:
            homeless = self._homeless[node]
            del homeless[uid]
            if not homeless:
                del self._homeless[node]
            return info
        view.remove(info)
        _drop(self.priorities, info.priority)
        if info.group:
            _drop(self.groups[info.group], node)
            if not self.groups[info.group]:
                del self.groups[info.group]
        self.stances.count(info, view.labels, -1)
        self._count(info, view, -1)
        return info

    def where(self, uid: str) -> str:
        """The node that a pod is on or assumed to be on; empty if none."""
        known = self._placed.get(uid)
        return known[0] if known else ""

    def known(self, uid: str) -> PodInfo | None:
        """What is known of a pod that holds room."""
        known = self._placed.get(uid)
        return known[1] if known else None

    def nominate(self, info: PodInfo, node: str) -> None:
        """Room is being made for a pod; an empty node takes that back."""
        for name, infos in list(self.nominated.items()):
            if infos.pop(info.uid, None) is not None and not infos:
                del self.nominated[name]
        if node:
            self.nominated.setdefault(node, {})[info.uid] = info

    def nomination(self, uid: str) -> str:
        """The node where room is being made for a pod."""
        return next((name for name, infos in self.nominated.items() if uid in infos), "")

    @contextmanager
    def trying(
        self, node: str, *, without: Iterable[PodInfo] = (), plus: Iterable[PodInfo] = ()
    ) -> Iterator[None]:
        """What would be if some pods were not on the node, and others were."""
        out, more = list(without), list(plus)
        try:
            for info in out:
                self.remove(info.uid)
            for info in more:
                self.place(info, node)
            yield
        finally:
            for info in more:
                self.remove(info.uid)
            for info in out:
                self.place(info, node)

    def set_namespaces(self, namespaces: Namespaces) -> None:
        """Labels of namespaces have changed."""
        if namespaces != self.namespaces:
            self.namespaces = namespaces
            self._forget_tallies()

    def tally(
        self,
        key: str,
        covers: tuple[Cover, ...],
        *,
        living_only: bool = False,
        eligible: tuple[object, Eligible] | None = None,
    ) -> Tally:
        """Number of pods that all `covers` are about, by value of the node label `key`.

        `eligible` says which nodes count, with a hashable token that stands for that rule.
        """
        token = (key, covers, living_only, eligible and eligible[0])
        found = self._tallies.get(token)
        if found is not None:
            self._tallies.move_to_end(token)
            return found
        made = Tally(key, covers, living_only=living_only)
        for view in self.nodes.values():
            value = view.labels.get(key)
            if value is None:
                continue
            if eligible is not None and not eligible[1](view.node):
                made.left_out.add(view.name)
                continue
            number = sum(made.has(info.pod, self.namespaces) for info in view.pods.values())
            made.counts[value] = made.counts.get(value, 0) + number
        self._tallies[token] = made
        self._listed(made)
        if len(self._tallies) > TALLIES_MAX:
            self._forget_oldest()
        return made

    def _said_anew(self, node: Node | None, *, gone: str = "") -> None:
        """Nodes came, went, or changed in labels or taints."""
        self.revision += 1
        self._order = []
        self._forget_tallies()
        self.shunned.discard(gone)
        if node is not None:
            repels = any(t.effect == taints.PREFER_NO_SCHEDULE for t in node.spec.taints)
            (self.shunned.add if repels else self.shunned.discard)(node.metadata.name)

    def _list_images(self, before: Node | None, after: Node | None) -> None:
        for image in before.status.images if before else ():
            for name in image.names or ():
                there = self.images.get(name, {})
                _ = there.pop(before.metadata.name if before else "", None)
                if not there:
                    _ = self.images.pop(name, None)
        for image in after.status.images if after else ():
            for name in image.names or ():
                self.images.setdefault(name, {})[after.metadata.name if after else ""] = (
                    image.sizeBytes
                )

    def _relabel(self, view: NodeView, before: Node) -> None:
        view.revision += 1
        self._said_anew(view.node)
        for info in view.pods.values():
            self.stances.count(info, before.metadata.labels, -1)
            self.stances.count(info, view.labels, 1)

    def _count(self, info: PodInfo, view: NodeView, step: int) -> None:
        own = self._by_namespace.get(info.pod.metadata.namespace, ())
        for tallies in (own, self._everywhere):
            for tally in tallies:
                tally.count(info.pod, view, step, self.namespaces)

    def _listed(self, tally: Tally) -> None:
        for names in tally.lists():
            self._by_namespace.setdefault(names, []).append(tally)
        if not tally.lists():
            self._everywhere.append(tally)

    def _forget_oldest(self) -> None:
        _, tally = self._tallies.popitem(last=False)
        for names in tally.lists():
            self._by_namespace[names].remove(tally)
        if not tally.lists():
            self._everywhere.remove(tally)

    def _forget_tallies(self) -> None:
        self._tallies.clear()
        self._by_namespace.clear()
        self._everywhere.clear()


def _drop(counter: Counter[int] | Counter[str], key: int | str) -> None:
    counts: Counter[int | str] = counter  # type: ignore[assignment]
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]
