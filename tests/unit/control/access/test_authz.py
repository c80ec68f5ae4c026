"""Who may do what."""

import pytest

from appliance.control.access.authn import ANONYMOUS
from appliance.control.access.authz import Attributes, FixedRules, forbidden
from appliance.control.registry.base import User


class Named:
    """The pods of n1 name one secret."""

    async def named(self, node: str, resource: str, *, namespace: str, name: str) -> bool:
        return (node, resource, namespace, name) == ("n1", "secrets", "shop", "mine")


RULES = FixedRules(Named())
MASTER = User(name="admin", groups=("system:masters", "system:authenticated"))
NODE = User(name="system:node:n1", groups=("system:nodes", "system:authenticated"))
JANE = User(name="jane", groups=("system:authenticated",))


async def test_masters_may_do_everything() -> None:
    assert await RULES.allows(MASTER, Attributes(verb="delete", resource="nodes", name="n1"))
    assert await RULES.allows(MASTER, Attributes(verb="get", path="/metrics"))


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (Attributes(verb="watch", resource="pods"), True),
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
    assert await RULES.allows(NODE, asked) is allowed


async def test_anybody_may_ask_for_health_and_version_and_who_is_known_for_discovery() -> None:
    for path in ("/healthz", "/readyz/ping", "/version"):
        assert await RULES.allows(ANONYMOUS, Attributes(verb="get", path=path))
    assert not await RULES.allows(ANONYMOUS, Attributes(verb="get", path="/api"))
    assert not await RULES.allows(ANONYMOUS, Attributes(verb="get", path="/versions"))
    assert await RULES.allows(JANE, Attributes(verb="get", path="/openapi/v3"))
    assert not await RULES.allows(JANE, Attributes(verb="get", path="/metrics"))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            Attributes(verb="list", resource="pods", namespace="shop"),
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" '
            'in the namespace "shop"',
        ),
        (
            Attributes(verb="get", group="apps", resource="deployments", name="x"),
            'deployments.apps "x" is forbidden: User "jane" cannot get resource "deployments" '
            'in API group "apps" at the cluster scope',
        ),
        (
            Attributes(verb="get", resource="pods", subresource="log", namespace="n", name="x"),
            'pods "x" is forbidden: User "jane" cannot get resource "pods/log" in API group "" '
            'in the namespace "n"',
        ),
        (
            Attributes(verb="get", path="/metrics"),
            'forbidden: User "jane" cannot get path "/metrics"',
        ),
    ],
)
async def test_no_is_said_in_the_words_that_kubectl_prints(asked: Attributes, message: str) -> None:
    assert not await RULES.allows(JANE, asked)
    assert forbidden(JANE, asked).message == message
