"""Quotas: admission charges, the controller counts, and together they keep a namespace small."""

import asyncio
from typing import Any

import pytest

from appliance.api import codec
from appliance.api.errors import ApiError, Forbidden
from appliance.api.kind import Kind
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.resourcequota import RESOURCE_QUOTA, ResourceQuota
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.kinds.table import KINDS
from appliance.api.meta import ObjectMeta
from appliance.client.base import DeleteOptions
from appliance.control.controllers.quotas import Quotas
from tests.unit.control.cluster import Cluster

AT_ONCE = DeleteOptions(grace_period_s=0)


async def begin(plane: Cluster, hard: dict[str, str], **spec: Any) -> None:
    await plane.client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
    meta = ObjectMeta(name="default", namespace="shop")
    await plane.client.create(SERVICE_ACCOUNT, ServiceAccount(metadata=meta))
    kinds = [kind for kind in KINDS if kind is not EVENT]
    await plane.start(Quotas(plane.client, plane.informers, kinds, clock=plane.clock))
    await make(plane, RESOURCE_QUOTA, ResourceQuota, "q", {"hard": hard, **spec})
    await plane.settle()


async def make(plane: Cluster, kind: Kind[Any], type_: Any, name: str, spec: Any = None) -> Any:
    plain = {"metadata": {"name": name, "namespace": "shop"}}
    if spec is not None:
        plain["spec"] = spec
    obj, _ = codec.decode(type_, plain)
    return await plane.client.create(kind, obj)


async def pod(plane: Cluster, name: str, cpu: str = "", **spec: Any) -> Pod:
    resources = {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}} if cpu else {}
    container = {"name": "c", "image": "i", "resources": resources}
    made: Pod = await make(plane, POD, Pod, name, {"containers": [container], **spec})
    return made


async def status(plane: Cluster) -> tuple[dict[str, Any], dict[str, Any]]:
    found = await plane.client.get(RESOURCE_QUOTA, "q", "shop")
    return found.status.hard, found.status.used


async def used(plane: Cluster) -> dict[str, Any]:
    return (await status(plane))[1]


async def test_the_status_says_what_is_used_from_the_start(plane: Cluster) -> None:
    hard = {"pods": "2", "requests.cpu": "1", "count/deployments.apps": "3", "secrets": "5"}
    await begin(plane, hard)
    assert await status(plane) == (hard, dict.fromkeys(hard, "0"))


async def test_a_namespace_takes_so_much_and_no_more_and_has_room_again(plane: Cluster) -> None:
    await begin(plane, {"pods": "2", "requests.cpu": "1"})
    await pod(plane, "a", "600m")
    with pytest.raises(Forbidden) as caught:
        await pod(plane, "b", "500m")
    assert caught.value.message == (
        'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m, '
        "used: requests.cpu=600m, limited: requests.cpu=1"
    )
    await pod(plane, "b", "400m")
    assert await used(plane) == {"pods": "2", "requests.cpu": "1"}
    await plane.client.delete(POD, "a", namespace="shop", options=AT_ONCE)
    await plane.settle()
    await plane.advance(2)
    assert await used(plane) == {"pods": "1", "requests.cpu": "400m"}
    await pod(plane, "c", "100m")


async def test_of_many_at_once_only_so_many_get_in(plane: Cluster) -> None:
    await begin(plane, {"configmaps": "3"})
    made = await asyncio.gather(
        *(make(plane, CONFIG_MAP, ConfigMap, f"c{n}") for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(found, ConfigMap) for found in made) == 3
    assert all(isinstance(found, ConfigMap | ApiError) for found in made)
    await plane.advance(3)
    assert await used(plane) == {"configmaps": "3"}


async def test_what_was_charged_for_a_refused_object_comes_back(plane: Cluster) -> None:
    await begin(plane, {"configmaps": "2"})
    await make(plane, CONFIG_MAP, ConfigMap, "a")
    with pytest.raises(ApiError):
        await make(plane, CONFIG_MAP, ConfigMap, "a")  # the name is taken
    assert await used(plane) == {"configmaps": "2"}
    await plane.advance(3)
    assert await used(plane) == {"configmaps": "1"}


async def test_who_is_bounded_must_say_what_they_want(plane: Cluster) -> None:
    await begin(plane, {"cpu": "1", "limits.memory": "1Gi"})
    with pytest.raises(Forbidden, match="failed quota: q: must specify cpu for: c; limits"):
        await pod(plane, "a")


async def test_a_pod_that_has_ended_holds_nothing(plane: Cluster) -> None:
    await begin(plane, {"pods": "1", "count/pods": "9"})
    await pod(plane, "a")
    await plane.client.patch(
        POD, "a", {"status": {"phase": "Succeeded"}}, namespace="shop", subresource="status"
    )
    await plane.advance(3)
    assert await used(plane) == {"pods": "0", "count/pods": "1"}


async def test_services_are_counted_by_what_they_take(plane: Cluster) -> None:
    await begin(plane, {"services": "5", "services.nodeports": "1", "services.loadbalancers": "0"})
    ports = [{"port": 80}, {"port": 81}]
    ports = [{**port, "name": f"p{port['port']}"} for port in ports]
    with pytest.raises(Forbidden, match=r"requested: services\.nodeports=2"):
        await make(plane, SERVICE, Service, "a", {"type": "NodePort", "ports": ports})
    await make(plane, SERVICE, Service, "a", {"ports": ports})
    change = {"spec": {"type": "LoadBalancer"}}
    with pytest.raises(Forbidden, match="loadbalancers=1"):
        await plane.client.patch(SERVICE, "a", change, namespace="shop")
    assert (await used(plane))["services"] == "1"


@pytest.mark.parametrize(
    ("scope", "counted", "free"),
    [
        ("BestEffort", {}, {"cpu": "1"}),
        ("NotBestEffort", {"cpu": "1"}, {}),
        ("Terminating", {"activeDeadlineSeconds": 9}, {}),
        ("NotTerminating", {}, {"activeDeadlineSeconds": 9}),
    ],
)
async def test_a_scope_is_about_some_pods_only(
    plane: Cluster, scope: str, counted: dict[str, Any], free: dict[str, Any]
) -> None:
    await begin(plane, {"pods": "1"}, scopes=[scope])
    for name in ("a", "b", "c"):
        await pod(plane, name, **free)
    await pod(plane, "d", **counted)
    with pytest.raises(Forbidden, match="exceeded quota"):
        await pod(plane, "e", **counted)


async def test_priorities_can_be_bounded(plane: Cluster) -> None:
    selector = {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}
    await begin(plane, {"pods": "0"}, scopeSelector={"matchExpressions": [selector]})
    await pod(plane, "a")
    with pytest.raises(Forbidden, match="exceeded quota"):
        await pod(plane, "b", priorityClassName="system-node-critical")
