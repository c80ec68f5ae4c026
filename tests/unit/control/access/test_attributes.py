"""How questions are put to several authorizers, and how no is said."""

import pytest

from appliance.control.access.attributes import (
    Attributes,
    Authorizers,
    Decision,
    Masters,
    Rules,
    forbidden,
)
from appliance.control.registry.base import User

JANE = User(name="jane", groups=("system:authenticated",))
ASKED = Attributes(verb="get", resource="pods", namespace="n", name="x")


class Says:
    """Answers always the same."""

    def __init__(self, decision: Decision, problem: str = "") -> None:
        self._decision = decision
        self._problem = problem

    async def decide(self, user: User, asked: Attributes) -> Decision:
        del user, asked
        return self._decision

    async def rules_of(self, user: User, namespace: str) -> Rules:
        del user, namespace
        return Rules((), self._problem)


async def test_the_first_that_allows_it_decides() -> None:
    no, yes = Says(Decision(allowed=False, reason="n")), Says(Decision(allowed=True, reason="y"))
    assert (await Authorizers([no, yes]).decide(JANE, ASKED)).reason == "y"
    assert await Authorizers([no, no]).decide(JANE, ASKED) == Decision(allowed=False, reason="n, n")
    assert not (await Authorizers([]).decide(JANE, ASKED)).allowed


async def test_what_cannot_be_listed_is_said() -> None:
    listed = await Authorizers([Says(Decision(allowed=False), "some")]).rules_of(JANE, "n")
    assert listed.problem == "some"


async def test_masters_may_do_everything() -> None:
    admin = User(name="admin", groups=("system:masters",))
    assert (await Masters().decide(admin, ASKED)).allowed
    assert not (await Masters().decide(JANE, ASKED)).allowed


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
def test_no_is_said_in_the_words_that_kubectl_prints(asked: Attributes, message: str) -> None:
    assert forbidden(JANE, asked).message == message


def test_the_reason_of_a_no_comes_last() -> None:
    assert forbidden(JANE, ASKED, "because").message.endswith('in the namespace "n": because')
