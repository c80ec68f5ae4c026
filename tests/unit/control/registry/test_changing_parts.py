"""PATCH, apply, scale, binding and eviction."""

from typing import Any

import pytest

from appliance.api import errors
from appliance.api.kinds.autoscaling.scale import Scale, ScaleSpec
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.kind import POD, Binding, Pod
from appliance.api.kinds.core.pod.spec import PodSpec, PodTemplateSpec
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
    ReplicationControllerSpec,
)
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.kinds.policy.eviction import Eviction
from appliance.api.meta import ObjectMeta
from appliance.client.base import PatchType
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.registry import StoreRegistry


@pytest.mark.parametrize(
    ("how", "body"),
    [
        (PatchType.JSON, [{"op": "add", "path": "/data/b", "value": "2"}]),
        (PatchType.MERGE, {"data": {"b": "2"}}),
        (PatchType.STRATEGIC, {"data": {"b": "2"}}),
    ],
)
async def test_each_kind_of_patch_adds_a_key(
    registry: StoreRegistry, call: Call, how: PatchType, body: Any
) -> None:
    await config_map(registry, call, a="1")
    changed = await patch(registry, call, how, body)
    assert changed.obj.data == {"a": "1", "b": "2"}
    owned = changed.obj.metadata.managedFields[0]
    assert (owned.manager, owned.fieldsV1["f:data"].keys()) == ("tests", {".", "f:a", "f:b"})


async def test_a_patch_without_effect_keeps_the_revision(
    registry: StoreRegistry, call: Call
) -> None:
    made = await config_map(registry, call, a="1")
    same = await patch(registry, call, PatchType.MERGE, {"data": {"a": "1"}})
    assert same.revision == made.revision


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"metadata": {"resourceVersion": "1"}}, errors.Conflict),
        ({"metadata": {"name": "other"}}, errors.BadRequest),
        ({"data": {"a": 1}}, errors.BadRequest),
    ],
)
async def test_a_patch_that_does_not_fit_is_refused(
    registry: StoreRegistry, call: Call, body: Any, error: type[errors.ApiError]
) -> None:
    made = await config_map(registry, call, a="1")
    with pytest.raises(error):
        await patch(registry, call, PatchType.MERGE, body)
    assert await registry.get(CONFIG_MAP, "default", "web") is made


@pytest.mark.parametrize(
    ("mode", "warnings"), [("Warn", ['unknown field "extra"']), ("Ignore", [])]
)
async def test_unknown_fields_are_told_of_as_asked(
    registry: StoreRegistry, call: Call, mode: str, warnings: list[str]
) -> None:
    await config_map(registry, call, a="1")
    call.field_validation = mode
    await patch(registry, call, PatchType.MERGE, {"extra": 1})
    assert call.warnings == warnings
    call.field_validation = "Strict"
    with pytest.raises(errors.Invalid, match="strict decoding error"):
        await patch(registry, call, PatchType.MERGE, {"extra": 1})


async def test_apply_creates_then_conflicts_with_another_manager(
    registry: StoreRegistry, call: Call
) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}}
    made, created = await apply(registry, call, body)
    assert created
    assert made.obj.metadata.managedFields[0].operation == "Apply"
    other = Call(user=call.user, field_manager="other")
    body = {**body, "data": {"a": "2"}}
    with pytest.raises(errors.Conflict, match=r'conflict with "tests": \.data\.a'):
        await apply(registry, other, body)
    other.force = True
    changed, created = await apply(registry, other, body)
    assert not created
    assert changed.obj.data == {"a": "2"}


async def test_scale_is_a_view_that_sets_replicas(registry: StoreRegistry, call: Call) -> None:
    await controller(registry, call)
    scale = (await registry.get_scale(REPLICATION_CONTROLLER, "default", "web")).obj
    assert (scale.kind, scale.spec.replicas, scale.status.selector) == ("Scale", 2, "app=web")

    wanted = Scale(metadata=ObjectMeta(name="web"), spec=ScaleSpec(replicas=5))
    kind: Any = REPLICATION_CONTROLLER
    after, _ = await registry.update(
        kind, wanted, namespace="default", name="web", call=call, subresource="scale"
    )
    assert after.obj.spec.replicas == 5
    after, _ = await registry.patch(
        REPLICATION_CONTROLLER,
        namespace="default",
        name="web",
        how=PatchType.MERGE,
        body={"spec": {"replicas": 0}},
        call=call,
        subresource="scale",
    )
    obj = (await registry.get(REPLICATION_CONTROLLER, "default", "web")).obj
    assert (obj.spec.replicas, obj.metadata.generation) == (0, 3)
    with pytest.raises(errors.Invalid, match="must be greater than or equal to 0"):
        await registry.patch(
            REPLICATION_CONTROLLER,
            namespace="default",
            name="web",
            how=PatchType.MERGE,
            body={"spec": {"replicas": -1}},
            call=call,
            subresource="scale",
        )


async def test_a_pod_is_bound_once(registry: StoreRegistry, call: Call) -> None:
    made = await pod(registry, call)
    assert made.obj.status.phase == "Pending"
    await bind(registry, call, "node-1")
    bound = (await registry.get(POD, "default", "web")).obj
    assert bound.spec.nodeName == "node-1"
    assert [(c.type, c.status) for c in bound.status.conditions] == [("PodScheduled", "True")]
    assert bound.metadata.generation == 1, "binding is not a change of what the user wants"
    with pytest.raises(errors.Conflict, match='pod web is already assigned to node "node-1"'):
        await bind(registry, call, "node-2")


async def test_status_and_the_rest_are_separate_doors(registry: StoreRegistry, call: Call) -> None:
    await pod(registry, call)
    body = {"status": {"phase": "Running"}, "spec": {"hostNetwork": True}}
    how: dict[str, Any] = {"namespace": "default", "name": "web", "how": PatchType.MERGE}
    after, _ = await registry.patch(POD, **how, body=body, call=call, subresource="status")
    assert (after.obj.status.phase, after.obj.spec.hostNetwork) == ("Running", False)
    body = {"status": {"phase": "Failed"}, "metadata": {"labels": {"a": "b"}}}
    after, _ = await registry.patch(POD, **how, body=body, call=call)
    assert (after.obj.status.phase, after.obj.metadata.labels) == ("Running", {"a": "b"})


async def test_an_evicted_pod_is_told_so_and_gets_its_grace(
    registry: StoreRegistry, call: Call
) -> None:
    await pod(registry, call)
    await bind(registry, call, "node-1")
    eviction = Eviction(metadata=ObjectMeta(name="web"))
    await registry.post(
        POD, eviction, namespace="default", name="web", subresource="eviction", call=call
    )
    obj = (await registry.get(POD, "default", "web")).obj
    assert obj.metadata.deletionGracePeriodSeconds == 30
    assert obj.status.conditions[-1].type == "DisruptionTarget"


async def config_map(registry: StoreRegistry, call: Call, **data: str) -> Stored[ConfigMap]:
    obj = ConfigMap(metadata=ObjectMeta(name="web"), data=data)
    return await registry.create(CONFIG_MAP, obj, namespace="default", call=call)


async def controller(registry: StoreRegistry, call: Call) -> None:
    spec = ReplicationControllerSpec(
        replicas=2,
        selector={"app": "web"},
        template=PodTemplateSpec(metadata=ObjectMeta(labels={"app": "web"}), spec=pod_spec()),
    )
    obj = ReplicationController(metadata=ObjectMeta(name="web"), spec=spec)
    await registry.create(REPLICATION_CONTROLLER, obj, namespace="default", call=call)


def pod_spec() -> PodSpec:
    return PodSpec(containers=[Container(name="c", image="app:1")])


async def pod(registry: StoreRegistry, call: Call) -> Stored[Pod]:
    account = ServiceAccount(metadata=ObjectMeta(name="default"))
    await registry.create(SERVICE_ACCOUNT, account, namespace="default", call=call)
    obj = Pod(metadata=ObjectMeta(name="web"), spec=pod_spec())
    return await registry.create(POD, obj, namespace="default", call=call)


async def bind(registry: StoreRegistry, call: Call, node: str) -> None:
    target = ObjectReference(kind="Node", name=node)
    binding = Binding(metadata=ObjectMeta(name="web"), target=target)
    await registry.post(
        POD, binding, namespace="default", name="web", subresource="binding", call=call
    )


async def patch(
    registry: StoreRegistry, call: Call, how: PatchType, body: Any
) -> Stored[ConfigMap]:
    after, created = await registry.patch(
        CONFIG_MAP, namespace="default", name="web", how=how, body=body, call=call
    )
    assert not created
    return after


async def apply(registry: StoreRegistry, call: Call, body: Any) -> tuple[Stored[ConfigMap], bool]:
    return await registry.patch(
        CONFIG_MAP, namespace="default", name="web", how=PatchType.APPLY, body=body, call=call
    )
