"""What a node may write, once the object is in sight."""

from typing import Any

import pytest

from appliance.api import localpath
from appliance.api.errors import Forbidden
from appliance.api.kind import Kind
from appliance.api.kinds.coordination.lease import LEASE, Lease
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.persistentvolume import (
    PERSISTENT_VOLUME,
    PersistentVolume,
    PersistentVolumeStatus,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.meta import ObjectMeta
from appliance.control.access.steps.base import Attempt
from appliance.control.access.steps.nodes import NodeRestriction
from appliance.control.access.steps.serviceaccounts import MIRROR
from appliance.control.registry.base import Call, User

NODE_1 = User(name="system:node:n1", groups=("system:nodes",))
ADMIN = User(name="admin", groups=("system:masters",))


def attempt(
    kind: Kind[Any],
    obj: Any,
    *,
    verb: str = "create",
    old: Any = None,
    user: User = NODE_1,
    subresource: str = "",
) -> Attempt:
    shown = obj if obj is not None else old
    return Attempt(
        verb=verb,
        kind=kind,
        namespace=shown.metadata.namespace,
        name=shown.metadata.name,
        obj=obj,
        old=old,
        subresource=subresource,
        call=Call(user=user),
    )


def node(name: str) -> Node:
    return Node(metadata=ObjectMeta(name=name))


def pod(on: str, *, mirror: bool = False) -> Pod:
    notes = {MIRROR: "x"} if mirror else {}
    meta = ObjectMeta(name="p", namespace="default", annotations=notes)
    return Pod(metadata=meta, spec=PodSpec(nodeName=on))


def lease(name: str, namespace: str = "kube-node-lease") -> Lease:
    return Lease(metadata=ObjectMeta(name=name, namespace=namespace))


def volume(on: str, *finalizers: str, phase: str = "Released") -> PersistentVolume:
    labels = {localpath.NODE: on}
    meta = ObjectMeta(name="v", labels=labels, finalizers=list(finalizers))
    return PersistentVolume(metadata=meta, status=PersistentVolumeStatus(phase=phase))


def change(old: PersistentVolume, new: PersistentVolume, **more: Any) -> Attempt:
    return attempt(PERSISTENT_VOLUME, new, verb="update", old=old, **more)


MINE = volume("n1", "a", localpath.FINALIZER)


def trusted(name: str, value: str) -> Node:
    labels = {"node-restriction.kubernetes.io/fips": value}
    return Node(metadata=ObjectMeta(name=name, labels=labels))


@pytest.mark.parametrize(
    "allowed",
    [
        attempt(NODE, node("n1")),
        attempt(NODE, node("n1"), verb="update", old=node("n1"), subresource="status"),
        attempt(LEASE, lease("n1")),
        attempt(LEASE, lease("n1"), verb="update", old=lease("n1")),
        attempt(POD, pod("n1", mirror=True)),
        attempt(POD, pod("n1"), verb="update", old=pod("n1"), subresource="status"),
        attempt(POD, None, verb="delete", old=pod("n1")),
        attempt(NODE, trusted("n1", "yes"), verb="update", old=trusted("n1", "yes")),
        attempt(CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="x"))),
        change(MINE, volume("n1", "a")),
        attempt(NODE, node("n2"), user=ADMIN),
        attempt(POD, None, verb="delete", old=pod("n2"), user=ADMIN),
    ],
)
async def test_a_node_writes_its_own_and_others_write_what_they_may(allowed: Attempt) -> None:
    await NodeRestriction().admit(allowed)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (attempt(NODE, node("n2")), 'node "n1" is not allowed to modify node "n2"'),
        (
            attempt(NODE, node("n2"), verb="update", old=node("n2"), subresource="status"),
            'node "n1" is not allowed to modify node "n2"',
        ),
        (
            attempt(NODE, trusted("n1", "yes")),
            'node "n1" is not allowed to set the following labels: '
            "node-restriction.kubernetes.io/fips",
        ),
        (
            attempt(NODE, trusted("n1", "no"), verb="update", old=trusted("n1", "yes")),
            'node "n1" is not allowed to modify the following labels',
        ),
        (attempt(LEASE, lease("n2")), "can only access node lease with the same name"),
        (attempt(LEASE, lease("n1", "default")), 'can only access leases in the "kube-node-lease"'),
        (attempt(POD, pod("n1")), 'node "n1" can only create mirror pods'),
        (
            attempt(POD, pod("n2", mirror=True)),
            'node "n1" can only create pods with spec.nodeName set to itself',
        ),
        (
            attempt(POD, pod("n2"), verb="update", old=pod("n2"), subresource="status"),
            'node "n1" can only update pod status for pods with spec.nodeName set to itself',
        ),
        (change(MINE, volume("n1")), "can only remove the finalizer"),
        (change(MINE, volume("n1", "a", phase="Bound")), "can only remove the finalizer"),
        (change(MINE, volume("n2", "a")), "can only remove the finalizer"),
        (change(MINE, volume("n1", "a"), subresource="status"), "may not write persistent volumes"),
        (
            change(volume("n2", localpath.FINALIZER), volume("n2")),
            'node "n1" can only release volumes that are folders of its own',
        ),
        (
            attempt(POD, None, verb="delete", old=pod("n2")),
            'node "n1" can only delete pods with spec.nodeName set to itself',
        ),
    ],
)
async def test_a_node_is_kept_from_what_is_not_its_own(refused: Attempt, why: str) -> None:
    with pytest.raises(Forbidden) as caught:
        await NodeRestriction().admit(refused)
    assert why in caught.value.message
