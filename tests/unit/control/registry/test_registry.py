"""The seven verbs on a plain kind."""

import asyncio

import pytest

from appliance.api import errors
from appliance.api.kinds.coordination.lease import LEASE, Lease, LeaseSpec
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.event import EVENT, Event
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import DeleteOptions, ObjectMeta, Preconditions
from appliance.client.base import EventType, clone
from appliance.control.registry.base import Call, Query, Stored
from appliance.control.registry.registry import StoreRegistry
from appliance.kit import jsonio

NONE = DeleteOptions()


async def test_an_object_is_created_read_changed_watched_and_deleted(
    registry: StoreRegistry, call: Call
) -> None:
    made = await create(registry, call, "web", data={"k": "1"})
    assert made.obj.metadata.uid
    assert made.obj.metadata.creationTimestamp == "2023-11-14T22:13:20Z"
    assert jsonio.loads(made.json)["metadata"]["resourceVersion"] == str(made.revision)
    assert (await registry.get(CONFIG_MAP, "default", "web")) is made

    watch = registry.watch(CONFIG_MAP, Query(namespace="default"))
    assert (await anext(watch)).type is EventType.ADDED

    changed, created = await registry.update(
        CONFIG_MAP, edited(made, k="2"), namespace="default", name="web", call=call
    )
    assert not created
    assert changed.revision > made.revision
    event = await anext(watch)
    assert event.type is EventType.MODIFIED
    assert event.item is changed, "one object and one encoding for get, list and watch"

    gone, at_once = await registry.delete(
        CONFIG_MAP, namespace="default", name="web", options=NONE, call=call
    )
    assert at_once
    assert gone.obj.data == {"k": "2"}
    event = await anext(watch)
    assert event.type is EventType.DELETED
    assert event.item.obj.data == {"k": "2"}
    assert event.item.revision > changed.revision
    assert jsonio.loads(event.item.json)["metadata"]["resourceVersion"] == str(event.item.revision)
    await watch.aclose()
    with pytest.raises(errors.NotFound, match='configmaps "web" not found'):
        await registry.get(CONFIG_MAP, "default", "web")


async def test_sent_bytes_begin_as_go_writes_them(registry: StoreRegistry, call: Call) -> None:
    made = await create(registry, call, "web", data={"uid": '","uid":"'})
    assert made.json.startswith(b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"web",')
    assert jsonio.loads(made.json)["data"] == {"uid": '","uid":"'}


async def test_a_name_is_taken_once(registry: StoreRegistry, call: Call) -> None:
    await create(registry, call, "web")
    with pytest.raises(errors.AlreadyExists, match='configmaps "web" already exists'):
        await create(registry, call, "web")


async def test_generated_names_spell_nothing(registry: StoreRegistry, call: Call) -> None:
    obj = ConfigMap(metadata=ObjectMeta(generateName="x" * 70))
    made = await registry.create(CONFIG_MAP, obj, namespace="default", call=call)
    assert made.obj.metadata.name.startswith("x" * 58)
    assert len(made.obj.metadata.name) == 63
    assert not set(made.obj.metadata.name[58:]) & set("aeiouy013")


async def test_nothing_is_created_where_there_is_no_namespace(
    registry: StoreRegistry, call: Call
) -> None:
    with pytest.raises(errors.NotFound, match='namespaces "nope" not found'):
        await create(registry, call, "web", namespace="nope")


@pytest.mark.parametrize(
    ("meta", "error", "message"),
    [
        ({"name": "web", "resourceVersion": "1"}, errors.Conflict, "has been modified"),
        ({"name": "web", "resourceVersion": "abc"}, errors.ApiError, 'ParseUint: parsing "abc"'),
        ({"name": "web", "uid": "1-1"}, errors.Conflict, "UID in precondition: 1-1, UID in object"),
        ({"name": "else"}, errors.BadRequest, r"object \(else\) does not match .* URL \(web\)"),
        ({"name": "web", "namespace": "other"}, errors.BadRequest, "namespace of the provided"),
    ],
)
async def test_an_update_that_does_not_fit_is_refused(
    registry: StoreRegistry,
    call: Call,
    meta: dict[str, str],
    error: type[errors.ApiError],
    message: str,
) -> None:
    before = await create(registry, call, "web")
    obj = ConfigMap(metadata=ObjectMeta(**meta), data={"k": "new"})
    with pytest.raises(error, match=message):
        await registry.update(CONFIG_MAP, obj, namespace="default", name="web", call=call)
    assert await registry.get(CONFIG_MAP, "default", "web") is before


async def test_a_write_without_change_keeps_the_revision(
    registry: StoreRegistry, call: Call
) -> None:
    made = await create(registry, call, "web", data={"k": "1"})
    again, _ = await registry.update(
        CONFIG_MAP, edited(made), namespace="default", name="web", call=call
    )
    assert again.revision == made.revision


async def test_writers_without_a_revision_do_not_lose_to_each_other(
    registry: StoreRegistry, call: Call
) -> None:
    await create(registry, call, "web")

    async def write(value: str) -> None:
        obj = ConfigMap(metadata=ObjectMeta(name="web"), data={"k": value})
        await registry.update(CONFIG_MAP, obj, namespace="default", name="web", call=call)

    await asyncio.gather(*(write(str(n)) for n in range(4)))
    assert (await registry.get(CONFIG_MAP, "default", "web")).obj.data["k"] in "0123"


async def test_puts_of_a_missing_object_may_create_it_and_do_not_race(
    registry: StoreRegistry, call: Call
) -> None:
    async def put(holder: str) -> bool:
        spec = LeaseSpec(holderIdentity=holder)
        obj = Lease(metadata=ObjectMeta(name="x"), spec=spec)
        _, created = await registry.update(LEASE, obj, namespace="default", name="x", call=call)
        return created

    with pytest.raises(errors.Invalid, match="must be specified for an update"):
        await asyncio.gather(*(put(str(n)) for n in range(3)))
    lease = await registry.get(LEASE, "default", "x")
    assert lease.obj.spec.holderIdentity in set("012")


async def test_what_the_store_refuses_is_told_in_its_words(
    registry: StoreRegistry, call: Call
) -> None:
    about = ObjectReference(kind="Pod", namespace="default", name="web")
    meta = ObjectMeta(name="big")
    obj = Event(metadata=meta, involvedObject=about, message="x" * 1_600_000)
    with pytest.raises(errors.ApiError, match="etcdserver: request is too large") as caught:
        await registry.create(EVENT, obj, namespace="default", call=call)
    assert caught.value.status()["code"] == 500


async def test_a_dry_run_answers_as_if_and_stores_nothing(
    registry: StoreRegistry, call: Call
) -> None:
    call.dry_run = True
    made = await create(registry, call, "web")
    assert made.obj.metadata.uid
    assert "resourceVersion" not in jsonio.loads(made.json)["metadata"]
    with pytest.raises(errors.NotFound):
        await registry.get(CONFIG_MAP, "default", "web")


async def test_finalizers_hold_a_deleted_object_until_they_are_removed(
    registry: StoreRegistry, call: Call
) -> None:
    await create(registry, call, "web", finalizers=["a.b/c"])
    held, at_once = await registry.delete(
        CONFIG_MAP, namespace="default", name="web", options=NONE, call=call
    )
    assert not at_once
    assert held.obj.metadata.deletionTimestamp == "2023-11-14T22:13:20Z"
    assert held.obj.metadata.deletionGracePeriodSeconds == 0
    freed = edited(held)
    freed.metadata.finalizers = []
    await registry.update(CONFIG_MAP, freed, namespace="default", name="web", call=call)
    with pytest.raises(errors.NotFound):
        await registry.get(CONFIG_MAP, "default", "web")


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
)
async def test_propagation_policies_leave_work_to_the_collector(
    registry: StoreRegistry, call: Call, policy: str, finalizer: str
) -> None:
    await create(registry, call, "web")
    options = DeleteOptions(propagationPolicy=policy)
    held, at_once = await registry.delete(
        CONFIG_MAP, namespace="default", name="web", options=options, call=call
    )
    assert not at_once
    assert held.obj.metadata.finalizers == [finalizer]
    _, at_once = await registry.delete(
        CONFIG_MAP,
        namespace="default",
        name="web",
        options=DeleteOptions(propagationPolicy="Background"),
        call=call,
    )
    assert at_once, "a later delete may let go of the dependents"


async def test_preconditions_of_a_delete_name_both_sides(
    registry: StoreRegistry, call: Call
) -> None:
    made = await create(registry, call, "web")
    options = DeleteOptions(preconditions=Preconditions(resourceVersion="1"))
    with pytest.raises(errors.Conflict) as caught:
        await registry.delete(
            CONFIG_MAP, namespace="default", name="web", options=options, call=call
        )
    assert caught.value.message == (
        'Operation cannot be fulfilled on ConfigMap "web": the ResourceVersion in the precondition '
        f"(1) does not match the ResourceVersion in record ({made.revision}). The object might "
        "have been modified"
    )


async def test_delete_collection_takes_what_matches(registry: StoreRegistry, call: Call) -> None:
    await create(registry, call, "a", labels={"g": "1"})
    await create(registry, call, "b", labels={"g": "2"})
    gone = await registry.delete_collection(
        CONFIG_MAP, Query(namespace="default", labels="g=1"), options=NONE, call=call
    )
    assert [i.obj.metadata.name for i in gone.items] == ["a"]
    left = await registry.list(CONFIG_MAP, Query(namespace="default"))
    assert [i.obj.metadata.name for i in left.items] == ["b"]


async def test_a_namespace_goes_in_two_steps(registry: StoreRegistry, call: Call) -> None:
    held, at_once = await registry.delete(
        NAMESPACE, namespace="", name="other", options=NONE, call=call
    )
    assert not at_once
    assert held.obj.status.phase == "Terminating"
    assert held.obj.metadata.deletionGracePeriodSeconds is None
    with pytest.raises(errors.Forbidden) as caught:
        await create(registry, call, "web", namespace="other")
    assert caught.value.details is not None
    assert caught.value.details.causes[0].reason == "NamespaceTerminating"

    final = clone(held.obj)
    final.spec.finalizers = []
    await registry.update(
        NAMESPACE, final, namespace="", name="other", call=call, subresource="finalize"
    )
    with pytest.raises(errors.NotFound):
        await registry.get(NAMESPACE, "", "other")


async def test_the_default_namespace_stays(registry: StoreRegistry, call: Call) -> None:
    with pytest.raises(errors.Forbidden, match="this namespace may not be deleted"):
        await registry.delete(NAMESPACE, namespace="", name="default", options=NONE, call=call)


async def create(
    registry: StoreRegistry,
    call: Call,
    name: str,
    *,
    namespace: str = "default",
    data: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    finalizers: list[str] | None = None,
) -> Stored[ConfigMap]:
    meta = ObjectMeta(name=name, labels=labels or {}, finalizers=finalizers or [])
    obj = ConfigMap(metadata=meta, data=data or {})
    return await registry.create(CONFIG_MAP, obj, namespace=namespace, call=call)


def edited(stored: Stored[ConfigMap], **data: str) -> ConfigMap:
    obj = clone(stored.obj)
    obj.data.update(data)
    return obj
