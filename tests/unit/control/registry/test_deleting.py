"""How pods go: grace, shorter grace, the end; and what a delete leaves to the collector."""

from typing import Any

import pytest

from appliance.api import errors
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodSpec, PodTemplateSpec
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
    ReplicationControllerSpec,
)
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import DeleteOptions, ObjectMeta
from appliance.client.base import EventType, PatchType, clone
from appliance.control.registry.base import Call, Query, Stored
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.store.base import Compare, CompareTarget, Put, Txn
from appliance.store.memory import MemoryStore

NOW = "2023-11-14T22:13:20Z"
IN_30_S = "2023-11-14T22:13:50Z"
IN_5_S = "2023-11-14T22:13:25Z"
IN_1_S = "2023-11-14T22:13:21Z"


@pytest.fixture(autouse=True)
async def account(registry: StoreRegistry, call: Call) -> None:
    obj = ServiceAccount(metadata=ObjectMeta(name="default"))
    await registry.create(SERVICE_ACCOUNT, obj, namespace="default", call=call)


async def test_grace_starts_once_and_only_gets_shorter(
    registry: StoreRegistry, call: Call, clock: FakeClock
) -> None:
    await pod(registry, call, node="n1")
    first, gone = await delete(registry, call)
    assert not gone
    assert due(first) == (IN_30_S, 30, 2)
    await clock.advance(2)
    for options in ({}, {"gracePeriodSeconds": 40}, {"gracePeriodSeconds": 30}):
        again, gone = await delete(registry, call, **options)
        assert again.revision == first.revision, "nothing to do, nothing written"
    shorter, _ = await delete(registry, call, gracePeriodSeconds=5)
    assert due(shorter) == (IN_5_S, 5, 2), "counted from the first delete"
    shortest, _ = await delete(registry, call, gracePeriodSeconds=-1)
    assert due(shortest) == (IN_1_S, 1, 2)
    last, gone = await delete(registry, call, gracePeriodSeconds=0)
    assert gone
    assert due(last) == (NOW, 0, 2)
    with pytest.raises(errors.NotFound):
        await registry.get(POD, "default", "web")


@pytest.mark.parametrize(("node", "phase"), [("", "Pending"), ("n1", "Succeeded")])
async def test_a_pod_that_nobody_runs_goes_at_once(
    registry: StoreRegistry, call: Call, node: str, phase: str
) -> None:
    made = await pod(registry, call, node=node)
    await registry.patch(
        POD,
        namespace="default",
        name="web",
        how=PatchType.MERGE,
        body={"status": {"phase": phase}},
        call=call,
        subresource="status",
    )
    _, gone = await delete(registry, call)
    assert gone
    watch = registry.watch(POD, Query(resource_version=str(made.revision)))
    kinds = [(await anext(watch)).type for _ in range(3 if phase == "Succeeded" else 2)]
    assert kinds[-2:] == [EventType.MODIFIED, EventType.DELETED], "no grace is told of, too"


async def test_finalizers_keep_a_pod_whose_grace_is_over(
    registry: StoreRegistry, call: Call
) -> None:
    await pod(registry, call, node="n1", finalizers=["a.b/c"])
    held, gone = await delete(registry, call, gracePeriodSeconds=0)
    assert not gone
    assert due(held) == (NOW, 0, 2)
    freed = clone(held.obj)
    freed.metadata.finalizers = []
    await registry.update(POD, freed, namespace="default", name="web", call=call)
    with pytest.raises(errors.NotFound):
        await registry.get(POD, "default", "web")


async def test_a_delete_that_was_cut_short_is_finished_by_the_next(
    registry: StoreRegistry, call: Call, store: MemoryStore
) -> None:
    """The end is noted, then carried out: a crash in between must not leave a pod for ever."""
    made = await pod(registry, call, node="n1")
    key = b"/registry/pods/default/web"
    noted = made.json.replace(b'"resourceVersion":"%d",' % made.revision, b"").replace(
        b'"creationTimestamp"',
        b'"deletionTimestamp":"%b","deletionGracePeriodSeconds":0,"creationTimestamp"'
        % NOW.encode(),
    )
    same = Compare(key=key, target=CompareTarget.MOD, operand=made.revision)
    await store.txn(Txn(compares=(same,), success=(Put(key=key, value=noted),)))
    _, gone = await delete(registry, call, gracePeriodSeconds=0)
    assert gone


async def test_a_dry_run_ends_nothing(registry: StoreRegistry, call: Call) -> None:
    made = await pod(registry, call, node="n1")
    call.dry_run = True
    shown, gone = await delete(registry, call)
    assert (due(shown), gone) == ((IN_30_S, 30, 2), False)
    _, gone = await delete(registry, call, gracePeriodSeconds=0)
    assert gone
    assert await registry.get(POD, "default", "web") is made


@pytest.mark.seed("K07")
async def test_replication_controllers_leave_their_pods_unless_told_otherwise(
    registry: StoreRegistry, call: Call
) -> None:
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"a": "b"}), spec=PodSpec(containers=containers())
    )
    spec = ReplicationControllerSpec(selector={"a": "b"}, template=template)
    for options, finalizers in (
        ({}, ["orphan"]),
        ({"propagationPolicy": "Foreground"}, ["foregroundDeletion"]),
        ({"propagationPolicy": "Background"}, []),
        ({"orphanDependents": True}, ["orphan"]),
        ({"orphanDependents": False}, []),
    ):
        obj = ReplicationController(metadata=ObjectMeta(generateName="rc"), spec=clone(spec))
        made = await registry.create(REPLICATION_CONTROLLER, obj, namespace="default", call=call)
        after, gone = await registry.delete(
            REPLICATION_CONTROLLER,
            namespace="default",
            name=made.obj.metadata.name,
            options=DeleteOptions(**options),  # type: ignore[arg-type]
            call=call,
        )
        assert (after.obj.metadata.finalizers, gone) == (finalizers, not finalizers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"propagationPolicy": "Foo"},
            'propagationPolicy: Unsupported value: "Foo": supported values: "Foreground", '
            '"Background", "Orphan", "nil"',
        ),
        (
            {"propagationPolicy": "Orphan", "orphanDependents": True},
            'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation '
            "cannot be both set",
        ),
    ],
)
async def test_options_that_make_no_sense_are_refused(
    registry: StoreRegistry, call: Call, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(errors.Invalid) as caught:
        await delete(registry, call, **options)
    assert caught.value.message == f'DeleteOptions.meta.k8s.io "" is invalid: {message}'


def containers() -> list[Container]:
    return [Container(name="c", image="app:1")]


async def pod(
    registry: StoreRegistry, call: Call, *, node: str, finalizers: list[str] | None = None
) -> Stored[Pod]:
    meta = ObjectMeta(name="web", finalizers=finalizers or [])
    obj = Pod(metadata=meta, spec=PodSpec(containers=containers(), nodeName=node))
    return await registry.create(POD, obj, namespace="default", call=call)


async def delete(registry: StoreRegistry, call: Call, **options: Any) -> tuple[Stored[Pod], bool]:
    return await registry.delete(
        POD, namespace="default", name="web", options=DeleteOptions(**options), call=call
    )


def due(stored: Stored[Pod]) -> tuple[str | None, int | None, int]:
    meta = stored.obj.metadata
    return meta.deletionTimestamp, meta.deletionGracePeriodSeconds, meta.generation
