"""Each node's share of the pod range: spec.podCIDR, allotted once and kept while the Node lives.

The choice is a pure function of what all nodes have, so there is nothing to remember: a deleted
Node's share is free again. One node at a time is served (`_turn`); what we have just given counts
until the cache shows it.
"""

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence

from appliance.api.errors import NotFound
from appliance.api.kinds.core.node import NODE, Node
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import WARNING, Recorder, reference
from appliance.client.informer import Informers

NODE_PREFIX = 24
"""254 addresses: more than twice the pods that a node takes."""


class NoShareLeft(Exception):
    """The pod range is used up by other nodes."""


class NodeIpam:
    """Gives nodes their pod ranges; the key is the node."""

    name = "nodeipam"

    def __init__(
        self, client: Client, informers: Informers, *, cluster_cidr: str, recorder: Recorder
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._cluster_cidr = cluster_cidr
        self._nodes = informers.of(NODE)
        self._turn = asyncio.Lock()
        self._given: dict[str, str] = {}
        """Shares by node that the cache may not show yet."""

    def watches(self) -> Sequence[Watch]:
        """Nodes that come or go, and those that wait when one goes."""
        return [Watch(self._nodes, self._affected, only=_came_or_went)]

    async def reconcile(self, key: str) -> Result:
        """Give a node its share if it has none."""
        async with self._turn:
            node = self._nodes.cache.get(key)
            if node is None or node.spec.podCIDR:
                self._given.pop(key, None)
                return DONE
            taken = {
                cidr
                for other in self._nodes.cache.list()
                if other.metadata.name != key
                for cidr in other.spec.podCIDRs
            }
            taken |= {cidr for name, cidr in self._given.items() if name != key}
            try:
                share = self._given.get(key) or first_free(self._cluster_cidr, taken)
            except NoShareLeft as fault:
                self._recorder.record(
                    reference(NODE, node), WARNING, "CIDRNotAvailable", f"Node {key}: {fault}"
                )
                return DONE
            self._given[key] = share
            try:
                await self._client.patch(
                    NODE, key, {"spec": {"podCIDR": share, "podCIDRs": [share]}}
                )
            except NotFound:
                self._given.pop(key, None)
        return DONE

    def _affected(self, node: Node) -> Iterable[str]:
        waiting = (key_of(n) for n in self._nodes.cache.list() if not n.spec.podCIDR)
        return {key_of(node), *waiting}


def first_free(cluster_cidr: str, taken: Iterable[str]) -> str:
    """The first share that overlaps none of `taken`.

    >>> first_free("10.42.0.0/16", {"10.42.0.0/24"})
    '10.42.1.0/24'

    Raises:
        NoShareLeft: there is none.
    """
    cluster = ipaddress.ip_network(cluster_cidr)
    used = [ipaddress.ip_network(cidr) for cidr in taken]
    prefix = max(NODE_PREFIX, cluster.prefixlen)
    for share in cluster.subnets(new_prefix=prefix):
        if not any(share.overlaps(other) for other in used):
            return str(share)
    raise NoShareLeft(f"all {2 ** (prefix - cluster.prefixlen)} shares of {cluster} are taken")


def _came_or_went(old: Node | None, new: Node | None) -> bool:
    if old is None or new is None:
        return True
    return old.spec.podCIDR != new.spec.podCIDR
