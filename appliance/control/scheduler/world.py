"""Keeps the snapshot in step with the informers, and says what changed. Used by `loop.py`.

Pods that were given a node are assumed there until the cache shows it, so that the next choice
counts them.
"""

from collections.abc import Callable

from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.policy.poddisruptionbudget import POD_DISRUPTION_BUDGET
from appliance.api.labels import from_label_selector
from appliance.client.cache import key_of
from appliance.client.informer import Informers
from appliance.control.scheduler.base import Change, NodeChanged, OtherChanged, PodCame, PodLeft
from appliance.control.scheduler.podinfo import PodInfo, has_ended
from appliance.control.scheduler.preemption import Budgets
from appliance.control.scheduler.snapshot import Snapshot


class World:
    """The snapshot, and where it comes from."""

    def __init__(
        self,
        informers: Informers,
        *,
        tell: Callable[[Change], None],
        wanting: Callable[[Pod | None, Pod | None], None],
    ) -> None:
        self.snapshot = Snapshot()
        self._tell = tell
        self._wanting = wanting
        self._pods = informers.of(POD)
        self._nodes = informers.of(NODE)
        self._namespaces = informers.of(NAMESPACE)
        self._budgets = informers.of(POD_DISRUPTION_BUDGET)
        self.informers = (self._pods, self._nodes, self._namespaces, self._budgets)
        self._namespaces.on_change(self._namespace_changed)
        self._nodes.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)

    def pod(self, key: str) -> Pod | None:
        """The newest known state of a pod."""
        return self._pods.cache.get(key)

    def assume(self, info: PodInfo, node: str) -> None:
        """The pod will be bound there."""
        self.snapshot.nominate(info, "")
        self.snapshot.place(info, node)
        self._tell(PodCame(info.pod, node))

    def forget(self, info: PodInfo) -> None:
        """It was not bound, unless the cache knows better."""
        pod = self._pods.cache.get(info.key)
        if pod is not None and pod.metadata.uid == info.uid and pod.spec.nodeName:
            return
        node = self.snapshot.where(info.uid)
        if self.snapshot.remove(info.uid) is not None:
            self._tell(PodLeft(info.pod, node))

    def budgets(self) -> Budgets:
        """Disruptions that are allowed now."""
        known = [(b, from_label_selector(b.spec.selector)) for b in self._budgets.cache.list()]

        def about(pod: Pod) -> list[str]:
            meta = pod.metadata
            return [
                key_of(budget)
                for budget, selector in known
                if budget.metadata.namespace == meta.namespace
                and selector.matches(meta.labels)
                and meta.name not in budget.status.disruptedPods
            ]

        return Budgets({key_of(b): b.status.disruptionsAllowed for b, _ in known}, about)

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if old is not None and new is not None and old.metadata.labels == new.metadata.labels:
            return
        labels = {n.metadata.name: n.metadata.labels for n in self._namespaces.cache.list()}
        self.snapshot.set_namespaces(labels)
        if (namespace := new or old) is not None:
            self._tell(OtherChanged("Namespace", namespace.metadata.name))

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            if old is not None:
                self.snapshot.remove_node(old.metadata.name)
                self._tell(OtherChanged("Node", old.metadata.name))
            return
        self.snapshot.set_node(new)
        if old is None or _matters(old) != _matters(new):
            self._tell(NodeChanged(old, self.snapshot.nodes[new.metadata.name]))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None or has_ended(new):
            self._pod_left(new or old)
            self._wanting(old, None)
        elif new.spec.nodeName:
            self._wanting(old, None)
            self._pod_is_on(new)
        elif not self.snapshot.where(new.metadata.uid):  # else it is on its way
            self._wanting(old, new)

    def _pod_left(self, pod: Pod | None) -> None:
        if pod is None:
            return
        uid = pod.metadata.uid
        node = self.snapshot.where(uid)
        if self.snapshot.nominated:
            self.snapshot.nominate(PodInfo(pod), "")
        if self.snapshot.remove(uid) is not None:
            self._tell(PodLeft(pod, node))

    def _pod_is_on(self, new: Pod) -> None:
        node, uid = new.spec.nodeName, new.metadata.uid
        known = self.snapshot.known(uid)
        if known is None:
            self._place(PodInfo(new), node)
        elif self.snapshot.where(uid) != node or not _says_the_same(known.pod, new):
            self._place(PodInfo(new), node)
            if _takes_less(known, new):
                self._tell(PodLeft(new, node))
        else:
            known.pod = new

    def _place(self, info: PodInfo, node: str) -> None:
        self.snapshot.place(info, node)
        self._tell(PodCame(info.pod, node))


def _says_the_same(old: Pod, new: Pod) -> bool:
    """Whether a pod, but for its status, counts as before."""
    before, after = old.metadata, new.metadata
    return (
        before.labels == after.labels
        and before.deletionTimestamp == after.deletionTimestamp
        and old.spec.containers == new.spec.containers
    )


def _takes_less(before: PodInfo, after: Pod) -> bool:
    return before.requests != PodInfo(after).requests


def _matters(node: Node) -> tuple[object, ...]:
    """What of a node can make a pod fit: heartbeats do not."""
    spec, status = node.spec, node.status
    return (node.metadata.labels, spec.taints, spec.unschedulable, status.allocatable)
