"""Namespaces take the pods that their labels allow."""

from typing import Any

import pytest

from appliance.api import codec
from appliance.api.errors import Forbidden
from appliance.api.kinds.apps.deployment import DEPLOYMENT, Deployment
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.control.registry.base import Call
from appliance.control.registry.registry import StoreRegistry

PREFIX = "pod-security.kubernetes.io/"


async def namespace(registry: StoreRegistry, call: Call, **levels: str) -> None:
    labels = {PREFIX + mode.replace("_", "-"): level for mode, level in levels.items()}
    made = Namespace(metadata=ObjectMeta(name="shop", labels=labels))
    await registry.create(NAMESPACE, made, namespace="", call=call)
    account = ServiceAccount(metadata=ObjectMeta(name="default"))
    await registry.create(SERVICE_ACCOUNT, account, namespace="shop", call=call)


def pod(**spec: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i"}], **spec}


async def create_pod(registry: StoreRegistry, call: Call, **spec: Any) -> None:
    made, _ = codec.decode(Pod, {"metadata": {"generateName": "p-"}, "spec": pod(**spec)})
    await registry.create(POD, made, namespace="shop", call=call)


async def test_without_labels_everything_goes(registry: StoreRegistry, call: Call) -> None:
    await namespace(registry, call)
    await create_pod(registry, call, hostNetwork=True)
    assert call.warnings == []


async def test_what_is_enforced_is_refused(registry: StoreRegistry, call: Call) -> None:
    await namespace(registry, call, enforce="baseline", enforce_version="v1.30")
    await create_pod(registry, call)
    with pytest.raises(Forbidden) as caught:
        await create_pod(registry, call, hostNetwork=True)
    text = 'violates PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)'
    assert caught.value.message.endswith(f"is forbidden: {text}")


async def test_warnings_come_for_what_makes_pods_too(registry: StoreRegistry, call: Call) -> None:
    await namespace(registry, call, enforce="baseline", warn="baseline", audit="baseline")
    plain = {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod(hostPID=True)},
        },
    }
    deployment, _ = codec.decode(Deployment, plain)
    await registry.create(DEPLOYMENT, deployment, namespace="shop", call=call)
    text = 'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)'
    assert call.warnings == [text]
    assert call.notes == {f"{PREFIX}audit-violations": text}


async def test_a_level_that_nobody_knows_is_the_strictest(
    registry: StoreRegistry, call: Call
) -> None:
    await namespace(registry, call, enforce="strict")
    with pytest.raises(Forbidden, match="allowPrivilegeEscalation != false"):
        await create_pod(registry, call)
