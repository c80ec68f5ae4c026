"""What belongs to somebody goes with him, unless he frees it."""

import pytest

from appliance.api.errors import NotFound
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.secret import SECRET, Secret
from appliance.api.kinds.table import KINDS
from appliance.api.meta import ObjectMeta, OwnerReference
from appliance.control.controllers.garbage import GarbageCollector
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def heap(plane: Cluster) -> Cluster:
    kinds = [kind for kind in KINDS if kind is not EVENT]
    await plane.start(GarbageCollector(plane.client, plane.informers, kinds))
    return plane


async def test_dependents_go_after_their_owner_and_theirs_after_them(heap: Cluster) -> None:
    owner = await secret(heap, "owner")
    child = await config(heap, "child", owner)
    await config(heap, "grandchild", child)
    await config(heap, "stranger")
    await heap.delete(SECRET, "owner", propagation="Background")
    assert await heap.names(CONFIG_MAP) == ["stranger"]


async def test_a_dependent_with_another_owner_stays(heap: Cluster) -> None:
    first, second = await secret(heap, "first"), await secret(heap, "second")
    await config(heap, "child", first, second)
    await heap.delete(SECRET, "first")
    child = await heap.client.get(CONFIG_MAP, "child", "default")
    assert [ref.name for ref in child.metadata.ownerReferences] == ["second"]


async def test_orphan_frees_the_dependents(heap: Cluster) -> None:
    owner = await secret(heap, "owner")
    await config(heap, "child", owner)
    await heap.delete(SECRET, "owner", propagation="Orphan")
    child = await heap.client.get(CONFIG_MAP, "child", "default")
    assert child.metadata.ownerReferences == []
    assert await heap.names(SECRET) == []


async def test_foreground_waits_for_dependents_that_block(heap: Cluster) -> None:
    owner = await secret(heap, "owner")
    await config(heap, "blocking", owner, finalizers=["example.org/hold"])
    await heap.delete(SECRET, "owner", propagation="Foreground")
    assert await heap.names(SECRET) == ["owner"]
    child = await heap.client.get(CONFIG_MAP, "blocking", "default")
    assert child.metadata.deletionTimestamp is not None
    await heap.edit(CONFIG_MAP, "blocking", {"metadata": {"finalizers": None}})
    assert await heap.names(SECRET) == []


async def test_an_owner_that_never_was_takes_its_dependent_along(heap: Cluster) -> None:
    ghost = OwnerReference(apiVersion="v1", kind="Secret", name="ghost", uid="none")
    meta = ObjectMeta(name="child", namespace="default", ownerReferences=[ghost])
    await heap.make(CONFIG_MAP, ConfigMap(metadata=meta))
    with pytest.raises(NotFound):
        await heap.client.get(CONFIG_MAP, "child", "default")


async def test_owners_of_kinds_that_nobody_knows_are_taken_to_exist(heap: Cluster) -> None:
    odd = OwnerReference(apiVersion="example.org/v1", kind="Thing", name="x", uid="u")
    meta = ObjectMeta(name="child", namespace="default", ownerReferences=[odd])
    await heap.make(CONFIG_MAP, ConfigMap(metadata=meta))
    assert await heap.names(CONFIG_MAP) == ["child"]


async def test_another_owner_under_the_same_name_does_not_count(heap: Cluster) -> None:
    owner = await secret(heap, "owner")
    await config(heap, "child", owner)
    await heap.client.delete(SECRET, "owner", namespace="default")
    await heap.client.create(SECRET, bare_secret("owner"), namespace="default")
    await heap.settle()
    assert await heap.names(CONFIG_MAP) == []


def bare_secret(name: str) -> Secret:
    return Secret(metadata=ObjectMeta(name=name, namespace="default"))


async def secret(heap: Cluster, name: str) -> Secret:
    made: Secret = await heap.make(SECRET, bare_secret(name))
    return made


async def config(
    heap: Cluster, name: str, *owners: Secret | ConfigMap, finalizers: list[str] | None = None
) -> ConfigMap:
    refs = [
        OwnerReference(
            apiVersion="v1",
            kind=owner.kind,
            name=owner.metadata.name,
            uid=owner.metadata.uid,
            blockOwnerDeletion=True,
        )
        for owner in owners
    ]
    meta = ObjectMeta(
        name=name, namespace="default", ownerReferences=refs, finalizers=finalizers or []
    )
    made: ConfigMap = await heap.make(CONFIG_MAP, ConfigMap(metadata=meta))
    return made
