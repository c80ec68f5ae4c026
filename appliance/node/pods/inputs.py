"""What a pod's containers are made of beyond the pod: ConfigMaps, Secrets, Services, tokens,
claims and their volumes.

`Inputs` is the seam; `ApiInputs` reads the API. A missing object is not an error here: whether
it may be missing is decided by who needs it (`env`, `volumes/projected.py`).
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from appliance.api.errors import NotFound
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.volumes import Volume, VolumeProjection
from appliance.api.kinds.core.secret import SECRET, Secret
from appliance.api.kinds.core.service import Service
from appliance.api.volumebinding import is_bound
from appliance.client.base import Client
from appliance.client.informer import Informer
from appliance.node.pods.tokens import PodTokens
from appliance.node.volumes.base import Claimed
from appliance.node.volumes.claims import claim_name


class Inputs(Protocol):
    """Reads what pods refer to."""

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """A ConfigMap, or None."""
        ...

    async def secret(self, namespace: str, name: str) -> Secret | None:
        """A Secret, or None."""
        ...

    def services(self, namespace: str) -> Iterable[Service]:
        """Services of a namespace, as last heard."""
        ...

    def services_known(self) -> bool:
        """Whether services were heard of at all."""
        ...

    async def tokens(self, pod: Pod) -> Mapping[str, str]:
        """Service account tokens for the pod's projected volumes, by audience."""
        ...

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        """A claim, or None."""
        ...

    async def persistent_volume(self, name: str) -> PersistentVolume | None:
        """A volume of the cluster, or None."""
        ...


class ApiInputs:
    """`Inputs` from the API, Services out of a cache."""

    def __init__(self, client: Client, services: Informer[Service], tokens: PodTokens) -> None:
        self._client = client
        self._services = services
        self._tokens = tokens

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """Read it now: it must be newer than the pod that names it."""
        try:
            return await self._client.get(CONFIG_MAP, name, namespace)
        except NotFound:
            return None

    async def secret(self, namespace: str, name: str) -> Secret | None:
        """Read it now."""
        try:
            return await self._client.get(SECRET, name, namespace)
        except NotFound:
            return None

    def services(self, namespace: str) -> Iterable[Service]:
        """Out of the cache."""
        return self._services.cache.list(namespace)

    def services_known(self) -> bool:
        """Whether the first list is in the cache."""
        return self._services.synced

    async def tokens(self, pod: Pod) -> Mapping[str, str]:
        """Those that it has, or new ones where their time is nearly over."""
        return await self._tokens.of(pod)

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        """Read it now: it must be bound by now."""
        try:
            return await self._client.get(PERSISTENT_VOLUME_CLAIM, name, namespace)
        except NotFound:
            return None

    async def persistent_volume(self, name: str) -> PersistentVolume | None:
        """Read it now."""
        try:
            return await self._client.get(PERSISTENT_VOLUME, name)
        except NotFound:
            return None


async def gather_config_maps(
    inputs: Inputs, pod: Pod, names: Iterable[str]
) -> dict[str, ConfigMap]:
    """Those ConfigMaps of the pod's namespace that are there."""
    found = {}
    for name in sorted(set(names)):
        one = await inputs.config_map(pod.metadata.namespace, name)
        if one is not None:
            found[name] = one
    return found


async def gather_secrets(inputs: Inputs, pod: Pod, names: Iterable[str]) -> dict[str, Secret]:
    """Those Secrets of the pod's namespace that are there."""
    found = {}
    for name in sorted(set(names)):
        one = await inputs.secret(pod.metadata.namespace, name)
        if one is not None:
            found[name] = one
    return found


async def gather_claims(inputs: Inputs, pod: Pod) -> Claimed:
    """The claims of the pod's volumes that are there, with their volumes if they are bound."""
    found: dict[str, tuple[PersistentVolumeClaim, PersistentVolume | None]] = {}
    for name in sorted({name for v in pod.spec.volumes if (name := claim_name(pod, v))}):
        claim = await inputs.claim(pod.metadata.namespace, name)
        if claim is not None:
            wanted = claim.spec.volumeName if is_bound(claim) else ""
            volume = await inputs.persistent_volume(wanted) if wanted else None
            found[name] = (claim, volume)
    return found


def env_config_maps(wish: ContainerWish) -> list[str]:
    """Names of the ConfigMaps that a container's variables come from."""
    whole = [e.configMapRef.name for e in wish.envFrom if e.configMapRef is not None]
    keys = [
        e.valueFrom.configMapKeyRef.name
        for e in wish.env
        if e.valueFrom is not None and e.valueFrom.configMapKeyRef is not None
    ]
    return whole + keys


def env_secrets(wish: ContainerWish) -> list[str]:
    """Names of the Secrets that a container's variables come from."""
    whole = [e.secretRef.name for e in wish.envFrom if e.secretRef is not None]
    keys = [
        e.valueFrom.secretKeyRef.name
        for e in wish.env
        if e.valueFrom is not None and e.valueFrom.secretKeyRef is not None
    ]
    return whole + keys


def volume_config_maps(pod: Pod) -> list[str]:
    """Names of the ConfigMaps that a pod's volumes show."""
    direct = [v.configMap.name for v in pod.spec.volumes if v.configMap is not None]
    return direct + [
        source.configMap.name for source in _projections(pod.spec.volumes) if source.configMap
    ]


def volume_secrets(pod: Pod) -> list[str]:
    """Names of the Secrets that a pod's volumes show."""
    direct = [v.secret.secretName for v in pod.spec.volumes if v.secret is not None]
    return direct + [
        source.secret.name for source in _projections(pod.spec.volumes) if source.secret
    ]


def _projections(volumes: Iterable[Volume]) -> list[VolumeProjection]:
    return [s for v in volumes if v.projected is not None for s in v.projected.sources]
