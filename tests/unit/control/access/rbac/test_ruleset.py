"""Rules of one role against questions, and what others cover of them."""

import pytest

from appliance.api.kinds.rbac.rules import PolicyRule
from appliance.control.access.attributes import Attributes
from appliance.control.access.rbac.grants import uncovered
from appliance.control.access.rbac.ruleset import Ruleset


def rule(verbs: str, resources: str = "", group: str = "", **more: list[str]) -> PolicyRule:
    groups = [group] if resources else []
    return PolicyRule(verbs=verbs.split(), apiGroups=groups, resources=resources.split(), **more)


RULES = Ruleset(
    [
        rule("get list", "pods pods/log"),
        rule("get update", "configmaps", resourceNames=["only"]),
        rule("*", "deployments", "apps"),
        rule("get", "*/scale", "*"),
        rule("get", nonResourceURLs=["/metrics", "/logs/*"]),
    ]
)


@pytest.mark.parametrize(
    ("verb", "resource", "more", "allowed"),
    [
        ("get", "pods", {}, True),
        ("get", "pods", {"name": "p"}, True),
        ("watch", "pods", {}, False),
        ("get", "pods", {"subresource": "log"}, True),
        ("get", "pods", {"subresource": "exec"}, False),
        ("get", "pods", {"group": "metrics.k8s.io"}, False),
        ("get", "configmaps", {"name": "only"}, True),
        ("get", "configmaps", {"name": "other"}, False),
        ("get", "configmaps", {}, False),
        ("impersonate", "deployments", {"group": "apps"}, True),
        ("get", "deployments", {"group": "extensions"}, False),
        ("get", "anything", {"group": "any", "subresource": "scale"}, True),
        ("get", "*", {}, False),
        ("*", "deployments", {"group": "apps"}, True),
        ("*", "pods", {}, False),
    ],
)
def test_resources(verb: str, resource: str, more: dict[str, str], allowed: bool) -> None:
    assert RULES.allows(Attributes(verb=verb, resource=resource, **more)) is allowed


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("get", "/metrics", True),
        ("post", "/metrics", False),
        ("get", "/metrics/slis", False),
        ("get", "/logs/a/b", True),
        ("get", "/logs", False),
        ("get", "/", False),
    ],
)
def test_paths(verb: str, path: str, allowed: bool) -> None:
    assert RULES.allows(Attributes(verb=verb, path=path)) is allowed


def test_all_of_everything_allows_everything() -> None:
    every = Ruleset([rule("*", "*", "*"), rule("*", nonResourceURLs=["*"])])
    assert every.allows(Attributes(verb="delete", group="g", resource="r", subresource="s"))
    assert every.allows(Attributes(verb="get", path="/x"))
    assert uncovered(list(RULES.rules), [every]) == []


def test_what_is_not_held_is_named_by_resource_with_all_its_verbs() -> None:
    wanted = [rule("get delete watch", "pods secrets"), rule("get", nonResourceURLs=["/x"])]
    missing = uncovered(wanted, [RULES])
    assert [(m.resources, m.nonResourceURLs, m.verbs) for m in missing] == [
        (["secrets"], [], ["get", "delete", "watch"]),
        (["pods"], [], ["delete", "watch"]),
        ([], ["/x"], ["get"]),
    ]


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        (rule("get", "configmaps", resourceNames=["only"]), True),
        (rule("get", "configmaps"), False),
        (rule("get", "pods", resourceNames=["p"]), True),
        (rule("*", "pods"), False),
        (rule("get", "*"), False),
        (rule("get", nonResourceURLs=["/logs/a*"]), True),
        (rule("get", nonResourceURLs=["/*"]), False),
    ],
)
def test_a_wish_for_all_is_covered_by_all_only(wanted: PolicyRule, covered: bool) -> None:
    assert (uncovered([wanted], [RULES]) == []) is covered
