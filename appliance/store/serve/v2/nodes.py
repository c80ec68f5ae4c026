"""Nodes of the tree, and the events of their changes, as they are shown and as they are kept.

An index that is 0 stands for the revision of the transaction that writes it: what is written
does not know it yet. Whoever reads fills it in (`Node.at`, `Event.at`). Pure.

Source: etcd server/etcdserver/api/v2store/{node,node_extern,event}.go.
"""

import json
import math
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.kit.clock import rfc3339_micro


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A node as an event shows it; no value: a directory."""

    key: str
    value: str | None = None
    expires: float | None = None
    """Wall time."""
    created: int = 0
    modified: int = 0
    bare: bool = False
    """A file that has gone: its value is not shown."""

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self.value is None

    def at(self, index: int) -> "Shown":
        """With the index that it was written at."""
        return replace(self, created=self.created or index, modified=self.modified or index)

    def data(self, now: float, nodes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """For JSON; zeros are left out."""
        shown: dict[str, Any] = {"key": self.key} if self.key else {}
        if self.value is None:
            shown["dir"] = True
        elif not self.bare:
            shown["value"] = self.value
        if self.expires is not None:
            shown["expiration"] = rfc3339_micro(self.expires)
            ttl = math.ceil(self.expires - now)
            shown |= {"ttl": ttl} if ttl > 0 else {}
        if nodes:
            shown["nodes"] = nodes
        indexes = {"modifiedIndex": self.modified, "createdIndex": self.created}
        return shown | {name: index for name, index in indexes.items() if index}

    def record(self) -> dict[str, Any]:
        """As it is kept."""
        record = {"k": self.key, "v": self.value, "x": self.expires, "c": self.created}
        more = {"m": self.modified, "b": self.bare}
        return record | {name: value for name, value in more.items() if value}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Shown":
        """From what was kept."""
        return cls(
            key=record["k"],
            value=record["v"],
            expires=record["x"],
            created=record["c"],
            modified=record.get("m", 0),
            bare=record.get("b", False),
        )


@dataclass(slots=True)
class Node:
    """A node in its place."""

    shown: Shown
    children: dict[str, "Node"] = field(default_factory=dict)

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self.shown.is_dir

    def data(self, now: float, *, recursive: bool, top: bool = True) -> dict[str, Any]:
        """With its children, theirs as well if asked for; hidden ones are not listed."""
        nodes = [
            child.data(now, recursive=recursive, top=False)
            for name, child in sorted(self.children.items())
            if not name.startswith("_") and (top or recursive)
        ]
        return self.shown.data(now, nodes)

    def everything(self) -> list["Shown"]:
        """Itself and all below."""
        below = [shown for child in self.children.values() for shown in child.everything()]
        return [*below, self.shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change of the tree."""

    action: str
    node: Shown
    prev: Shown | None = None
    index: int = 0
    refresh: bool = False
    """Nobody is told of a TTL that was renewed."""
    removed: frozenset[str] = frozenset()
    """The keys that went with a directory; known to those who were there."""

    @property
    def creates(self) -> bool:
        """Whether it made the node."""
        return self.action == "create" or (self.action == "set" and self.prev is None)

    def at(self, index: int) -> "Event":
        """With its index."""
        return replace(self, index=index, node=self.node.at(index))

    def data(self, now: float) -> dict[str, Any]:
        """For JSON."""
        shown = {"action": self.action, "node": self.node.data(now)}
        return shown | ({"prevNode": self.prev.data(now)} if self.prev is not None else {})

    def encode(self) -> bytes:
        """As it is kept."""
        record = {"a": self.action, "n": self.node.record(), "r": self.refresh}
        return _dump(record | ({"p": self.prev.record()} if self.prev is not None else {}))

    @classmethod
    def decode(cls, data: bytes, index: int) -> "Event":
        """From what was kept."""
        record = json.loads(data)
        prev = Shown.of_record(record["p"]) if "p" in record else None
        node = Shown.of_record(record["n"])
        refresh = record["r"]
        event = cls(action=record["a"], node=node, prev=prev, refresh=refresh)
        return event.at(index)

    def concerns(self, key: str, *, recursive: bool) -> bool:
        """Whether somebody who watches a key is told."""
        if self.refresh:
            return False
        if self.node.key == key or key in self.removed:
            return True
        if self.prev is not None and self.prev.is_dir and key.startswith(self.prev.key + "/"):
            return not self.removed  # long ago: who was there is not known
        return recursive and is_below(self.node.key, key)


def is_below(key: str, top: str) -> bool:
    """Whether a key is below another, with nothing hidden between them."""
    start = top.rstrip("/") + "/"
    return key.startswith(start) and "/_" not in "/" + key[len(start) :]


def clean(path: str) -> str:
    """A path without `..`, double and trailing slashes; the root is empty."""
    return "/" + posixpath.normpath("/" + path).lstrip("/") if path.strip("/") else ""


def encode(shown: Shown) -> bytes:
    """A node as it is kept."""
    return _dump(shown.record())


def decode(data: bytes, revision: int) -> Shown:
    """A node that was kept."""
    return Shown.of_record(json.loads(data)).at(revision)


def _dump(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
