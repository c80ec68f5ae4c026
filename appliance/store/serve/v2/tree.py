"""The tree and what requests would do to it. Pure: a plan changes nothing until it is applied.

Source: etcd server/etcdserver/api/v2store/store.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from appliance.store.serve.v2.errors import Code, V2Error
from appliance.store.serve.v2.nodes import Event, Node, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a write asks for; `expires` in wall time."""

    key: str
    value: str = ""
    is_dir: bool = False
    expires: float | None = None
    refresh: bool = False
    prev_value: str = ""
    prev_index: int = 0
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """An event, the nodes that are written and the node that goes with all below."""

    event: Event
    writes: tuple[Shown, ...] = ()
    gone: str = ""


class Tree:
    """All nodes."""

    def __init__(self, nodes: Iterable[Shown] = (), index: int = 0) -> None:
        self.index = index
        self.root = Node(Shown(key=""))
        self.expiring: dict[str, float] = {}
        for shown in sorted(nodes, key=lambda one: one.key):
            self._put(shown)

    def get(self, key: str) -> Node:
        """A node.

        Raises:
            V2Error: it is not there.
        """
        node = self.root
        for name in key.split("/")[1:]:
            if not node.is_dir:
                raise V2Error(Code.NOT_DIR, node.shown.key, self.index)
            if name not in node.children:
                raise V2Error(Code.KEY_NOT_FOUND, f"{node.shown.key}/{name}", self.index)
            node = node.children[name]
        return node

    def set(self, change: Change) -> Plan:
        """Make or replace a node."""
        old: Shown | None = None
        try:
            old = self.get(change.key).shown
        except V2Error as error:
            if error.code is not Code.KEY_NOT_FOUND or change.refresh:
                raise
        if change.refresh and old is not None:
            change = replace(change, value=old.value or "")
        return self._create(change, "set", replacing=True)

    def create(self, change: Change) -> Plan:
        """Make a node that is not there."""
        return self._create(change, "create", replacing=False)

    def update(self, change: Change) -> Plan:
        """Change a file, or the time a directory has left."""
        old = self._writable(change.key).shown
        if old.is_dir and change.value:
            raise V2Error(Code.NOT_FILE, change.key, self.index)
        value = old.value if old.is_dir or change.refresh else change.value
        new = replace(old, value=value, expires=change.expires, modified=0)
        kept = replace(new, modified=old.modified) if old.is_dir else new
        event = Event(action="update", node=new, prev=old, refresh=change.refresh)
        return Plan(event, (kept,))

    def compare_and_swap(self, change: Change) -> Plan:
        """Change a file that is as it should be."""
        old = self._compared(self._writable(change.key), change)
        value = old.value if change.refresh else change.value
        new = replace(old, value=value, expires=change.expires, modified=0)
        event = Event(action="compareAndSwap", node=new, prev=old, refresh=change.refresh)
        return Plan(event, (new,))

    def compare_and_delete(self, change: Change) -> Plan:
        """Remove a file that is as it should be."""
        old = self._compared(self.get(change.key), change)
        return self._removal("compareAndDelete", old)

    def delete(self, change: Change) -> Plan:
        """Remove a file, or a directory."""
        node = self._writable(change.key)
        if node.is_dir and not (change.is_dir or change.recursive):
            raise V2Error(Code.NOT_FILE, change.key, self.index)
        if node.children and not change.recursive:
            raise V2Error(Code.DIR_NOT_EMPTY, change.key, self.index)
        return self._removal("delete", node.shown)

    def due(self, now: float) -> Plan | None:
        """The expiry that is longest overdue."""
        key = min(self.expiring, key=self.expiring.__getitem__, default="")
        if not key or self.expiring[key] > now:
            return None
        return self._removal("expire", self.get(key).shown)

    def apply(self, plan: Plan, index: int) -> Event:
        """Carry out what has been written as revision `index`."""
        self.index = index
        event = plan.event.at(index)
        if plan.gone:
            removed = [shown.key for shown in self.get(plan.gone).everything()]
            event = replace(event, removed=frozenset(removed))
            parent, _, name = plan.gone.rpartition("/")
            del self.get(parent).children[name]
            for key in removed:
                self.expiring.pop(key, None)
        for shown in plan.writes:
            self._put(shown.at(index))
        return event

    def _put(self, shown: Shown) -> None:
        parent, _, name = shown.key.rpartition("/")
        siblings = self.get(parent).children
        if name in siblings:
            siblings[name].shown = shown
        else:
            siblings[name] = Node(shown)
        self.expiring.pop(shown.key, None)
        if shown.expires is not None:
            self.expiring[shown.key] = shown.expires

    def _create(self, change: Change, action: str, *, replacing: bool) -> Plan:
        self._check_not_root(change.key)
        parents = self._missing_parents(change.key)
        old: Shown | None = None
        if not parents:
            parent, _, name = change.key.rpartition("/")
            node = self.get(parent).children.get(name)
            if node is not None and not replacing:
                raise V2Error(Code.NODE_EXISTS, change.key, self.index)
            if node is not None and node.is_dir:
                raise V2Error(Code.NOT_FILE, change.key, self.index)
            old = None if node is None else node.shown
        value = None if change.is_dir else change.value
        new = Shown(key=change.key, value=value, expires=change.expires)
        event = Event(action=action, node=new, prev=old, refresh=change.refresh)
        return Plan(event, (*parents, new))

    def _missing_parents(self, key: str) -> tuple[Shown, ...]:
        missing: list[Shown] = []
        node, at = self.root, ""
        for name in key.split("/")[1:-1]:
            at = f"{at}/{name}"
            if missing or name not in node.children:
                missing.append(Shown(key=at))
                continue
            node = node.children[name]
            if not node.is_dir:
                raise V2Error(Code.NOT_DIR, at, self.index)
        return tuple(missing)

    def _removal(self, action: str, old: Shown) -> Plan:
        value = None if old.is_dir else ""
        node = Shown(key=old.key, value=value, created=old.created, bare=not old.is_dir)
        return Plan(Event(action=action, node=node, prev=old), gone=old.key)

    def _compared(self, node: Node, change: Change) -> Shown:
        old = node.shown
        if node.is_dir:
            raise V2Error(Code.NOT_FILE, change.key, self.index)
        index_fits = change.prev_index in {0, old.modified}
        value_fits = change.prev_value in {"", old.value}
        if index_fits and value_fits:
            return old
        of_value = f"[{change.prev_value} != {old.value}]"
        of_index = f"[{change.prev_index} != {old.modified}]"
        wrong = ([] if value_fits else [of_value]) + ([] if index_fits else [of_index])
        raise V2Error(Code.TEST_FAILED, " ".join(wrong), self.index)

    def _writable(self, key: str) -> Node:
        self._check_not_root(key)
        return self.get(key)

    def _check_not_root(self, key: str) -> None:
        if not key:
            raise V2Error(Code.ROOT_READ_ONLY, "/", self.index)
