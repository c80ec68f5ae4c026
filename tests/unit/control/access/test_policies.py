"""Admission policies: what they refuse, warn of and change, by which bindings and values."""

import copy
from typing import Any

import msgspec
import pytest

from appliance.api.errors import ApiError, Forbidden, Invalid
from appliance.api.kind import Kind
from appliance.api.kinds.admissionregistration.policies import (
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from appliance.api.kinds.apps.deployment import DEPLOYMENT
from appliance.api.kinds.core.configmap import CONFIG_MAP
from appliance.control.registry.base import Call
from appliance.control.registry.registry import StoreRegistry

Json = dict[str, Any]

DEPLOYMENTS = {
    "resourceRules": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["deployments"],
        }
    ]
}


def web(name: str = "web", replicas: int = 1, **labels: str) -> Json:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
        },
    }


class World:
    """A cluster with policies."""

    def __init__(self, registry: StoreRegistry, call: Call) -> None:
        self.registry, self.call = registry, call

    async def make(self, kind: Kind[Any], body: Json, namespace: str = "default") -> Any:
        obj = msgspec.convert(copy.deepcopy(body), kind.type)
        space = namespace if kind.namespaced else ""
        made = await self.registry.create(kind, obj, namespace=space, call=self.call)
        return made.obj

    async def policy(
        self, spec: Json, binding: Json | None = None, *, mutates: bool = False
    ) -> None:
        kinds = (VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING)
        if mutates:
            kinds = (MUTATING_ADMISSION_POLICY, MUTATING_ADMISSION_POLICY_BINDING)
        else:
            binding = {"validationActions": ["Deny"], **(binding or {})}
        whole = {"matchConstraints": DEPLOYMENTS, **spec}
        await self.make(kinds[0], {"metadata": {"name": "p"}, "spec": whole})
        bound = {"policyName": "p", **(binding or {})}
        await self.make(kinds[1], {"metadata": {"name": "b"}, "spec": bound})


@pytest.fixture
def world(registry: StoreRegistry, call: Call) -> World:
    return World(registry, call)


async def test_a_write_that_breaks_a_rule_is_refused(world: World) -> None:
    await world.policy({"validations": [{"expression": "object.spec.replicas <= 5"}]})
    assert await world.make(DEPLOYMENT, web())
    with pytest.raises(ApiError) as refused:
        await world.make(DEPLOYMENT, web("big", 6))
    told = (
        "deployments.apps \"big\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b'"
        " denied request: failed expression: object.spec.replicas <= 5"
    )
    assert str(refused.value) == told
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")


async def test_variables_and_messages_are_worked_out(world: World) -> None:
    rule = {
        "expression": "variables.count <= variables.most",
        "messageExpression": "string(variables.count) + ' is over ' + string(variables.most)",
        "reason": "Forbidden",
    }
    names = [
        {"name": "most", "expression": "5"},
        {"name": "count", "expression": "object.spec.replicas"},
    ]
    await world.policy({"variables": names, "validations": [rule]})
    with pytest.raises(ApiError, match="denied request: 6 is over 5") as refused:
        await world.make(DEPLOYMENT, web("big", 6))
    assert refused.value.code == 403


async def test_a_binding_may_only_warn(world: World) -> None:
    rules = [{"expression": "object.spec.replicas <= 5", "message": "too many"}]
    await world.policy({"validations": rules}, {"validationActions": ["Warn", "Audit"]})
    assert await world.make(DEPLOYMENT, web("big", 6))
    said = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': too many"
    assert world.call.warnings == [said]
    assert "too many" in world.call.notes["validation.policy.admission.k8s.io/validation_failure"]


async def test_values_come_from_another_object(world: World) -> None:
    rules = [{"expression": "object.spec.replicas <= int(params.data.most)"}]
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    ref = {"name": "limits", "namespace": "other", "parameterNotFoundAction": "Deny"}
    await world.policy({"paramKind": kind, "validations": rules}, {"paramRef": ref})
    with pytest.raises(ApiError, match="no params found"):
        await world.make(DEPLOYMENT, web())
    limits = {"metadata": {"name": "limits"}, "data": {"most": "2"}}
    await world.make(CONFIG_MAP, limits, "other")
    assert await world.make(DEPLOYMENT, web(replicas=2))
    with pytest.raises(ApiError, match="failed expression"):
        await world.make(DEPLOYMENT, web("big", 3))


async def test_conditions_and_bindings_choose_what_is_asked(world: World) -> None:
    condition = {"name": "not-mine", "expression": "!object.metadata.name.startsWith('mine')"}
    labelled = {"matchResources": {"objectSelector": {"matchLabels": {"strict": "yes"}}}}
    spec = {"matchConditions": [condition], "validations": [{"expression": "false"}]}
    await world.policy(spec, labelled)
    assert await world.make(DEPLOYMENT, web("plain"))
    assert await world.make(DEPLOYMENT, web("mine", strict="yes"))
    with pytest.raises(ApiError):
        await world.make(DEPLOYMENT, web("other", strict="yes"))
    assert await world.make(CONFIG_MAP, {"metadata": {"name": "x"}})


@pytest.mark.parametrize("follows", ["Fail", "Ignore"])
async def test_what_cannot_be_worked_out_follows_the_failure_policy(
    world: World, follows: str
) -> None:
    rules = [{"expression": "object.spec.nothing == 1"}]
    await world.policy({"failurePolicy": follows, "validations": rules})
    if follows == "Ignore":
        assert await world.make(DEPLOYMENT, web())
        return
    with pytest.raises(ApiError, match="resulted in error: no such key: nothing"):
        await world.make(DEPLOYMENT, web())


async def test_a_policy_with_a_broken_expression_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="compilation failed: ERROR: <input>:1:8"):
        await world.policy({"validations": [{"expression": "object."}]})
    with pytest.raises(Invalid, match="undeclared reference to 'objekt'"):
        await world.policy({"validations": [{"expression": "objekt == null"}]})


async def test_an_applied_object_changes_what_is_written(world: World) -> None:
    text = (
        "Object{metadata: Object.metadata{labels: Object.metadata.labels{who: request.userInfo"
        ".username}}, spec: Object.spec{template: Object.spec.template{spec:"
        " Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'side',"
        " image: 'side:1'}]}}}}"
    )
    change = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": text}}
    await world.policy({"mutations": [change]}, mutates=True)
    made = await world.make(DEPLOYMENT, web(team="a"))
    assert made.metadata.labels == {"team": "a", "who": "admin"}
    containers = made.spec.template.spec.containers
    assert [c.name for c in containers] == ["web", "side"]
    assert containers[1].terminationMessagePolicy == "File", "defaults follow"


async def test_patches_change_what_is_written(world: World) -> None:
    text = (
        "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'a/b': '1'}},"
        " JSONPatch{op: 'replace', path: '/metadata/annotations/' + jsonpatch.escapeKey('a/b'),"
        " value: string(object.spec.replicas)}]"
    )
    change = {"patchType": "JSONPatch", "jsonPatch": {"expression": text}}
    await world.policy({"mutations": [change]}, mutates=True)
    made = await world.make(DEPLOYMENT, web(replicas=3))
    assert made.metadata.annotations == {"a/b": "3"}


async def test_a_change_that_cannot_be_made_stops_the_write(world: World) -> None:
    change = {"patchType": "JSONPatch", "jsonPatch": {"expression": "['x']"}}
    await world.policy({"mutations": [change]}, mutates=True)
    with pytest.raises(Forbidden, match="must give a list of JSONPatch"):
        await world.make(DEPLOYMENT, web())
