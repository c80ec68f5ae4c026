"""Authorisation: may this user do this? Administrators may do all, nodes what their agent needs.

Called once per request by `control.http.middleware`, and by the access reviews. Decisions depend
on the arguments and, for what a node reads of Secrets and ConfigMaps, on the pods that are bound
to it. Full RBAC replaces `FixedRules` later behind the same protocol.
Messages are upstream's: kubectl prints them.
"""

from dataclasses import dataclass
from typing import Protocol

from appliance.api.errors import Details, Forbidden, qualified
from appliance.control.access.authn import AUTHENTICATED
from appliance.control.registry.base import User

MASTERS = "system:masters"
NODES = "system:nodes"
NODE_PREFIX = "system:node:"
NODE_LEASES = "kube-node-lease"
"""Namespace of the nodes' heartbeats."""

READ = frozenset({"get", "list", "watch"})
_PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version")
_DISCOVERY_PATHS = ("/api", "/apis", "/openapi", *_PUBLIC_PATHS)
_SELF_REVIEWS = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What is asked: a verb on a resource, or on a plain path where `resource` is empty."""

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class Authorizer(Protocol):
    """Decides."""

    async def allows(self, user: User, asked: Attributes) -> bool:
        """Whether `user` may do what is asked."""
        ...


class References(Protocol):
    """Knows what the pods of a node need."""

    async def named(self, node: str, resource: str, *, namespace: str, name: str) -> bool:
        """Whether a pod of `node` names this Secret or ConfigMap."""
        ...


class FixedRules:
    """The rules of a cluster without RBAC: masters all, nodes their share, others discovery."""

    def __init__(self, references: References) -> None:
        self._references = references

    async def allows(self, user: User, asked: Attributes) -> bool:
        """See `Authorizer`."""
        if MASTERS in user.groups:
            return True
        if not asked.resource:
            return _path_allowed(user, asked)
        reviews_itself = asked.verb == "create" and (asked.group, asked.resource) in _SELF_REVIEWS
        if reviews_itself and AUTHENTICATED in user.groups:
            return True
        if NODES in user.groups and user.name.startswith(NODE_PREFIX):
            return await self._node_allowed(user.name.removeprefix(NODE_PREFIX), asked)
        return False

    async def _node_allowed(self, node: str, asked: Attributes) -> bool:
        if not node_may(node, asked):
            return False
        if (asked.group, asked.resource) not in _FOR_PODS_ONLY:
            return True
        return await self._references.named(
            node, asked.resource, namespace=asked.namespace, name=asked.name
        )


def _path_allowed(user: User, asked: Attributes) -> bool:
    if asked.verb not in {"get", "head"}:
        return False
    known = _DISCOVERY_PATHS if AUTHENTICATED in user.groups else _PUBLIC_PATHS
    return any(asked.path == p or asked.path.startswith(f"{p}/") for p in known)


# What the agent of a node does, by (group, resource[/subresource]). Nodes and Leases are limited
# to its own name below, and once more with the object in sight by `steps/nodes`. Of Secrets and
# ConfigMaps it may read those that its pods name, one by one: a list would show the others'.
_NODE_RULES: dict[tuple[str, str], frozenset[str]] = {
    ("", "pods"): READ | {"create", "delete"},
    ("", "pods/status"): frozenset({"get", "patch", "update"}),
    ("", "services"): READ,
    ("", "endpoints"): READ,
    ("discovery.k8s.io", "endpointslices"): READ,
    ("", "configmaps"): frozenset({"get"}),
    ("", "secrets"): frozenset({"get"}),
    ("", "namespaces"): READ,
    ("", "serviceaccounts"): READ,
    ("", "serviceaccounts/token"): frozenset({"create"}),
    ("", "events"): frozenset({"create", "patch", "update"}),
    ("", "nodes"): READ | {"create", "patch", "update"},
    ("", "nodes/status"): frozenset({"get", "patch", "update"}),
    ("coordination.k8s.io", "leases"): frozenset({"get", "create", "patch", "update", "delete"}),
}
_FOR_PODS_ONLY = {("", "configmaps"), ("", "secrets")}
_OWN_ONLY = {("", "nodes"), ("", "nodes/status"), ("coordination.k8s.io", "leases")}


def node_may(node: str, asked: Attributes) -> bool:
    """Whether the agent of `node` may do what is asked."""
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    rule = (asked.group, resource)
    if asked.verb not in _NODE_RULES.get(rule, ()):
        return False
    if asked.resource == "leases" and asked.namespace != NODE_LEASES:
        return False
    # A create has no name in its URL; `steps/nodes` compares the object's.
    writes = asked.verb not in READ and asked.verb != "create"
    return asked.name == node if writes and rule in _OWN_ONLY else True


def forbidden(user: User, asked: Attributes) -> Forbidden:
    """Say no in upstream's words."""
    if not asked.resource:
        message = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"'
        return Forbidden(message, Details())
    subject = qualified(asked.resource, asked.group)
    if asked.name:
        subject += f' "{asked.name}"'
    return Forbidden(
        f'{subject} is forbidden: User "{user.name}" {cannot(asked)}',
        Details(name=asked.name, group=asked.group, kind=asked.resource),
    )


def cannot(asked: Attributes) -> str:
    """`cannot list resource "pods" in API group "" in the namespace "n"`."""
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return f'cannot {asked.verb} resource "{resource}" in API group "{asked.group}" {place}'
