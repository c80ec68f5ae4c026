"""The first objects of a cluster."""

import random
from functools import partial

import pytest

from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.kinds.core.service import SERVICE
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS, is_default
from appliance.control.bootstrap import bootstrap
from appliance.control.controllers.apiservice import ApiService
from appliance.control.local import LocalClient
from appliance.control.options import ControlOptions
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.store.memory import MemoryStore
from tests.unit.control.cluster import Cluster


@pytest.mark.seed("S18")
async def test_a_second_start_changes_only_what_has_moved() -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    async with StoreRegistry(store, clock=clock, rng=random.Random(1)) as registry:  # noqa: S311
        client = LocalClient(
            registry, User(name="system:apiserver", groups=("system:masters",)), clock
        )
        await bootstrap(client, ControlOptions(advertise_address="192.0.2.1"))
        names = [n.metadata.name for n in (await client.list(NAMESPACE)).items]
        assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
        service = await client.get(SERVICE, "kubernetes", "default")
        assert (service.spec.clusterIP, service.spec.ports[0].targetPort) == ("10.43.0.1", 6443)

        before = (await store.status()).revision
        await bootstrap(client, ControlOptions(advertise_address="192.0.2.1"))
        assert (await store.status()).revision == before

        await bootstrap(client, ControlOptions(advertise_address="192.0.2.2"))
        endpoints = await client.get(ENDPOINTS, "kubernetes", "default")
        assert endpoints.subsets[0].addresses[0].ip == "192.0.2.2"
        slice_ = await client.get(ENDPOINT_SLICE, "kubernetes", "default")
        assert slice_.endpoints[0].addresses == ["192.0.2.2"]
        await client.close()
    await store.close()


@pytest.mark.seed("S18")
async def test_the_service_of_the_api_comes_back_when_it_is_deleted(plane: Cluster) -> None:
    options = ControlOptions(advertise_address="192.0.2.1")
    ensure = partial(bootstrap, plane.client, options)
    await ensure()
    await plane.start(ApiService(plane.informers, ensure=ensure))
    for kind in (SERVICE, ENDPOINTS, ENDPOINT_SLICE):
        await plane.delete(kind, "kubernetes")
        assert "kubernetes" in await plane.names(kind)
    service = await plane.client.get(SERVICE, "kubernetes", "default")
    assert service.metadata.labels == {"component": "apiserver", "provider": "kubernetes"}
    assert (service.spec.clusterIP, service.spec.selector) == ("10.43.0.1", {})


async def test_the_class_of_local_volumes_is_made_once_and_then_the_users(plane: Cluster) -> None:
    await bootstrap(plane.client, ControlOptions(advertise_address="192.0.2.1"))
    assert await plane.all(STORAGE_CLASS, "") == [], "nobody would make its volumes"
    options = ControlOptions(advertise_address="192.0.2.1", local_storage=True)
    await bootstrap(plane.client, options)
    (made,) = await plane.all(STORAGE_CLASS, "")
    assert (made.metadata.name, is_default(made)) == ("local-path", True)
    assert (made.volumeBindingMode, made.reclaimPolicy) == ("WaitForFirstConsumer", "Delete")
    plain = {"storageclass.kubernetes.io/is-default-class": "false"}
    await plane.edit(STORAGE_CLASS, "local-path", {"metadata": {"annotations": plain}})
    await bootstrap(plane.client, options)
    (kept,) = await plane.all(STORAGE_CLASS, "")
    assert not is_default(kept)
