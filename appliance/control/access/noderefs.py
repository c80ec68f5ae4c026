"""What the pods of a node need: what its agent may read.

Asked by `nodes.NodeAuthorizer` for each such read of a node. The registry's caches answer, which
are as new as every acknowledged write: a pod that has just been bound counts. Kept: the names in
a pod's spec, for `_PODS_KEPT` pods. Source: kubernetes `plugin/pkg/auth/authorizer/node`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import msgspec

from appliance.api import localpath
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.networking.networkpolicy import NETWORK_POLICY
from appliance.control.registry.base import Lookup

SECRETS, CONFIG_MAPS, CLAIMS = "secrets", "configmaps", "persistentvolumeclaims"
ACCOUNTS = "serviceaccounts"
PODS = "pods"
VOLUMES = "persistentvolumes"

_PODS_KEPT = 4096  # about a kilobyte each, and more pods than have secrets on a small cluster

# Fields of a pod's spec that name such an object by their `name`, wherever they stand.
_BY_FIELD = {
    "configMap": CONFIG_MAPS,
    "configMapKeyRef": CONFIG_MAPS,
    "configMapRef": CONFIG_MAPS,
    "imagePullSecrets": SECRETS,
    "nodePublishSecretRef": SECRETS,
    "secret": SECRETS,
    "secretKeyRef": SECRETS,
    "secretRef": SECRETS,
}


class PodReferences:
    """Looks at the pods that are bound to a node."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known: OrderedDict[tuple[str, int], frozenset[tuple[str, str]]] = OrderedDict()

    async def named(self, node: str, resource: str, *, namespace: str, name: str) -> bool:
        """Whether a pod of `node` names this object, or is it."""
        if resource == PODS:
            pod = await self._lookup.find(POD, namespace, name)
            return pod is not None and pod.spec.nodeName == node
        if resource == VOLUMES:
            return await self._has_volume(node, name)
        return any(
            (resource, name) in self._references(pod)
            for pod in await self._lookup.every(POD, namespace)
            if pod.spec.nodeName == node
        )

    async def _has_volume(self, node: str, name: str) -> bool:
        """Whether a volume is a folder of the node, or its claim is one of a pod there."""
        volume = await self._lookup.find(PERSISTENT_VOLUME, "", name)
        if volume is None:
            return False
        if volume.metadata.labels.get(localpath.NODE) == node:
            return True
        claim = volume.spec.claimRef
        return claim is not None and await self.named(
            node, CLAIMS, namespace=claim.namespace, name=claim.name
        )

    async def policies(self) -> bool:
        """Whether there is any network policy."""
        return bool(await self._lookup.every(NETWORK_POLICY))

    def _references(self, pod: Pod) -> frozenset[tuple[str, str]]:
        # what a spec names changes with its generation only
        key = (pod.metadata.uid, pod.metadata.generation)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = references(pod)
            if len(self._known) > _PODS_KEPT:
                self._known.popitem(last=False)
        return found


def references(pod: Pod) -> frozenset[tuple[str, str]]:
    """Give the (resource, name) pairs that a pod's spec names, in its own namespace."""
    found = set(_walk(msgspec.to_builtins(pod.spec)))
    if pod.spec.serviceAccountName:
        found.add((ACCOUNTS, pod.spec.serviceAccountName))
    for volume in pod.spec.volumes:
        if volume.ephemeral is not None:  # its claim is named after pod and volume
            found.add((CLAIMS, f"{pod.metadata.name}-{volume.name}"))
    return frozenset(found)


def _walk(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for part in value:
            yield from _walk(part)
    if not isinstance(value, dict):
        return
    for field, part in value.items():
        if field == "secretName":
            yield SECRETS, part
        elif field == "claimName":
            yield CLAIMS, part
        elif resource := _BY_FIELD.get(field):
            for entry in part if isinstance(part, list) else [part]:
                if name := entry.get("name"):
                    yield resource, name
        yield from _walk(part)
