"""Which Secrets and ConfigMaps the pods of a node name: what its agent may read of them.

Asked by `authz.FixedRules` for each such read of a node. The registry's caches answer, which are
as new as every acknowledged write: a pod that has just been bound counts. Nothing is kept.
Source: kubernetes `plugin/pkg/auth/authorizer/node`, which keeps a graph for the same.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.control.registry.base import Query, Registry

SECRETS, CONFIG_MAPS = "secrets", "configmaps"

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

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def named(self, node: str, resource: str, *, namespace: str, name: str) -> bool:
        """Whether a pod of `node` names this Secret or ConfigMap."""
        query = Query(namespace=namespace, fields=f"spec.nodeName={node}")
        page = await self._registry.list(POD, query)
        return any((resource, name) in references(item.obj) for item in page.items)


def references(pod: Pod) -> frozenset[tuple[str, str]]:
    """Give the (resource, name) pairs that a pod's spec names, in its own namespace."""
    return frozenset(_walk(msgspec.to_builtins(pod.spec)))


def _walk(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for part in value:
            yield from _walk(part)
    if not isinstance(value, dict):
        return
    for field, part in value.items():
        if field == "secretName":
            yield SECRETS, part
        elif resource := _BY_FIELD.get(field):
            for entry in part if isinstance(part, list) else [part]:
                if name := entry.get("name"):
                    yield resource, name
        yield from _walk(part)
