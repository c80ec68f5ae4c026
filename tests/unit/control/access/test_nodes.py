"""What a node may do."""

import pytest

from appliance.control.access.attributes import NO_OPINION, Attributes, Rules
from appliance.control.access.nodes import NodeAuthorizer
from appliance.control.registry.base import User


class Named:
    """The pods of n1 name one secret."""

    async def named(self, node: str, resource: str, *, namespace: str, name: str) -> bool:
        return (node, resource, namespace, name) == ("n1", "secrets", "shop", "mine")

    def __init__(self, *, policies: bool = False) -> None:
        self._policies = policies

    async def policies(self) -> bool:
        return self._policies


LABEL = "appliance.local/volume-node"
RULES = NodeAuthorizer(Named())
NODE = User(name="system:node:n1", groups=("system:nodes", "system:authenticated"))


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (Attributes(verb="watch", resource="pods"), False),
        (Attributes(verb="watch", resource="pods", fields="spec.nodeName=n1"), True),
        (Attributes(verb="list", resource="pods", fields="spec.nodeName=n2"), False),
        (Attributes(verb="list", resource="pods", fields="spec.nodeName!=n1"), False),
        (Attributes(verb="list", resource="pods", fields="spec.nodeName=n1,x"), False),
        (Attributes(verb="get", path="/metrics"), False),
        (Attributes(verb="list", resource="persistentvolumes"), False),
        (Attributes(verb="watch", resource="persistentvolumes", labels=f"{LABEL}=n1"), True),
        (Attributes(verb="watch", resource="persistentvolumes", labels=f"{LABEL}=n2"), False),
        (Attributes(verb="list", resource="persistentvolumes", labels=f"{LABEL} in (n1)"), False),
        (Attributes(verb="get", resource="persistentvolumes", name="others"), False),
        (Attributes(verb="patch", resource="persistentvolumes", name="others"), False),
        (Attributes(verb="delete", resource="persistentvolumes", name="v"), False),
        (Attributes(verb="patch", resource="pods", subresource="status", name="p"), True),
        (Attributes(verb="patch", resource="pods", name="p"), False),
        (Attributes(verb="patch", resource="nodes", subresource="status", name="n1"), True),
        (Attributes(verb="patch", resource="nodes", subresource="status", name="n2"), False),
        (Attributes(verb="create", resource="nodes"), True),
        (Attributes(verb="delete", resource="nodes", name="n1"), False),
        (Attributes(verb="create", resource="events", namespace="default"), True),
        (Attributes(verb="update", resource="secrets", name="s"), False),
        (Attributes(verb="get", resource="secrets", namespace="shop", name="mine"), True),
        (Attributes(verb="get", resource="secrets", namespace="shop", name="others"), False),
        (Attributes(verb="get", resource="secrets", namespace="bank", name="mine"), False),
        (Attributes(verb="list", resource="secrets", namespace="shop"), False),
        (Attributes(verb="get", resource="configmaps", namespace="shop", name="x"), False),
        (Attributes(verb="list", group="discovery.k8s.io", resource="endpointslices"), True),
        (
            Attributes(
                verb="update",
                group="coordination.k8s.io",
                resource="leases",
                namespace="kube-node-lease",
                name="n1",
            ),
            True,
        ),
        (
            Attributes(
                verb="update",
                group="coordination.k8s.io",
                resource="leases",
                namespace="kube-system",
                name="n1",
            ),
            False,
        ),
    ],
)
async def test_a_node_may_do_what_its_agent_needs(asked: Attributes, allowed: bool) -> None:
    assert (await RULES.decide(NODE, asked)).allowed is allowed


async def test_a_node_hears_why_not() -> None:
    asked = Attributes(verb="get", resource="secrets", namespace="shop", name="others")
    decision = await RULES.decide(NODE, asked)
    assert decision.reason == "no relationship found between node 'n1' and this object"


async def test_others_are_none_of_its_business() -> None:
    for name, groups in (("system:node:n1", ()), ("jane", ("system:nodes",))):
        user = User(name=name, groups=groups)
        assert await RULES.decide(user, Attributes(verb="list", resource="services")) == NO_OPINION
        assert await RULES.rules_of(user, "shop") == Rules()
    assert (await RULES.rules_of(NODE, "shop")).problem


@pytest.mark.parametrize("resource", ["pods", "namespaces"])
async def test_a_node_sees_all_pods_only_while_there_is_a_network_policy(resource: str) -> None:
    asked = Attributes(verb="watch", resource=resource)
    assert not (await RULES.decide(NODE, asked)).allowed
    guarded = NodeAuthorizer(Named(policies=True))
    assert (await guarded.decide(NODE, asked)).allowed
    for verb in ("get", "update", "deletecollection"):
        other = Attributes(verb=verb, resource=resource, name="x")
        assert not (await guarded.decide(NODE, other)).allowed
