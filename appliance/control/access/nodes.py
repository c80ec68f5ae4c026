"""`NodeAuthorizer`: a node may do what its agent and its proxy need, for its own pods.

Roles can't say this: what a node may read follows from the pods that are bound to it. Which
objects it may write is seen once more with the object in sight, by `steps/nodes`.
Source: kubernetes `plugin/pkg/auth/authorizer/node`.
"""

from typing import Protocol

from appliance.api import fields, labels, localpath
from appliance.api.errors import ApiError
from appliance.control.access.attributes import (
    NO_OPINION,
    READ,
    YES,
    Attributes,
    Decision,
    Rules,
)
from appliance.control.registry.base import User

NODES = "system:nodes"
NODE_PREFIX = "system:node:"
NODE_LEASES = "kube-node-lease"
"""Namespace of the nodes' heartbeats."""


class References(Protocol):
    """Knows what the pods of a node need."""

    async def named(self, node: str, resource: str, *, namespace: str, name: str) -> bool:
        """Whether a pod of `node` names this object, or is it."""
        ...

    async def policies(self) -> bool:
        """Whether there is any network policy."""
        ...


class NodeAuthorizer:
    """Decides for nodes; has no opinion about anybody else."""

    def __init__(self, references: References) -> None:
        self._references = references

    async def decide(self, user: User, asked: Attributes) -> Decision:
        """See `attributes.Authorizer`."""
        node = node_of(user)
        if node is None or not asked.resource:
            return NO_OPINION
        if _for_policies(asked) and await self._references.policies():
            return YES
        if not node_may(node, asked):
            return NO_OPINION
        if (asked.group, asked.full_resource) not in _FOR_PODS_ONLY or _own(node, asked):
            return YES
        named = asked.name and await self._references.named(
            node, asked.resource, namespace=asked.namespace, name=asked.name
        )
        if named:
            return YES
        why = f"no relationship found between node '{node}' and this object"
        return Decision(allowed=False, reason=why)

    async def rules_of(self, user: User, namespace: str) -> Rules:
        """Nothing that could be listed."""
        del namespace
        if node_of(user) is None:
            return Rules()
        return Rules(problem="node authorizer does not support user rule resolution")


def node_of(user: User) -> str | None:
    """Name the node that asks, if it is one."""
    if NODES in user.groups and user.name.startswith(NODE_PREFIX):
        return user.name.removeprefix(NODE_PREFIX) or None
    return None


# What the agent of a node does, by (group, resource[/subresource]). Nodes and Leases are limited
# to its own name below, and once more with the object in sight by `steps/nodes`.
_NODE_RULES: dict[tuple[str, str], frozenset[str]] = {
    ("", "pods"): READ | {"create", "delete"},
    ("", "pods/status"): frozenset({"get", "patch", "update"}),
    ("", "pods/eviction"): frozenset({"create"}),
    ("", "services"): READ,
    ("", "endpoints"): READ,
    ("discovery.k8s.io", "endpointslices"): READ,
    ("", "configmaps"): frozenset({"get"}),
    ("", "secrets"): frozenset({"get"}),
    ("", "persistentvolumeclaims"): frozenset({"get"}),
    ("", "persistentvolumes"): READ | {"patch"},
    ("", "serviceaccounts"): frozenset({"get"}),
    ("", "serviceaccounts/token"): frozenset({"create"}),
    ("", "events"): frozenset({"create", "patch", "update"}),
    ("", "nodes"): READ | {"create", "patch", "update"},
    ("", "nodes/status"): frozenset({"get", "patch", "update"}),
    ("coordination.k8s.io", "leases"): frozenset({"get", "create", "patch", "update", "delete"}),
    ("node.k8s.io", "runtimeclasses"): READ,
    ("networking.k8s.io", "networkpolicies"): frozenset({"list", "watch"}),
}
# Of these it may read what its pods name, one by one: a list would show the others'. Its pods
# it may list by its name, and the volumes that are its folders by their label.
_FOR_PODS_ONLY = {
    ("", "configmaps"),
    ("", "secrets"),
    ("", "persistentvolumeclaims"),
    ("", "persistentvolumes"),
    ("", "serviceaccounts"),
    ("", "serviceaccounts/token"),
    ("", "pods"),
}
_OWN_ONLY = {("", "nodes"), ("", "nodes/status"), ("coordination.k8s.io", "leases")}


def node_may(node: str, asked: Attributes) -> bool:
    """Whether the agent of `node` may do such a thing at all."""
    rule = (asked.group, asked.full_resource)
    if asked.verb not in _NODE_RULES.get(rule, ()):
        return False
    if asked.resource == "leases" and asked.namespace != NODE_LEASES:
        return False
    # A create has no name in its URL; `steps/nodes` compares the object's.
    writes = asked.verb not in READ and asked.verb != "create"
    return asked.name == node if writes and rule in _OWN_ONLY else True


def _for_policies(asked: Attributes) -> bool:
    """Whether it is what a node must know of all pods to guard its own, which policies name.

    Upstream's network add-ons read as much, always, on every node; here a cluster without policies
    shows a node no others' pods.
    """
    seen = {("", "pods"), ("", "namespaces")}
    return asked.verb in {"list", "watch"} and (asked.group, asked.full_resource) in seen


def _own(node: str, asked: Attributes) -> bool:
    """Whether only what is the node's own is meant; at writes, `steps/nodes` sees to that."""
    try:
        if asked.full_resource == "pods":
            return (
                asked.verb not in READ or fields.parse(asked.fields).exact("spec.nodeName") == node
            )
        if asked.full_resource == "persistentvolumes" and asked.verb in {"list", "watch"}:
            wanted = labels.from_map({localpath.NODE: node}).requirements[0]
            return wanted in labels.parse(asked.labels).requirements
    except ApiError:
        return False
    return False
