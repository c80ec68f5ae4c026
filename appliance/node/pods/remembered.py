"""`RememberedInputs`: what pods were made of the last time, for when the API is away.

Wraps another `Inputs`. What is read is kept on disk (mode 0600: Secrets are among it) and written
only when it changed; it is used only while the API does not answer. Bound: objects that a pod of
this node refers to; `forget_others` drops the rest.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from appliance.api.errors import ApiError
from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.secret import Secret
from appliance.api.kinds.core.service import Service
from appliance.kit import jsonio
from appliance.kit.atomicfile import write_atomic
from appliance.node.pods.inputs import Inputs

log = structlog.get_logger(__name__)

V = TypeVar("V")


class Kept(msgspec.Struct):
    """The file; keys are `namespace/name`, of services the namespace."""

    config_maps: dict[str, ConfigMap] = {}
    secrets: dict[str, Secret] = {}
    services: dict[str, list[Service]] = {}
    claims: dict[str, PersistentVolumeClaim] = {}
    volumes: dict[str, PersistentVolume] = {}
    """By name."""

    def count(self) -> int:
        """How many entries there are."""
        return sum(len(getattr(self, name)) for name in self.__struct_fields__)


class RememberedInputs:
    """`Inputs` with a memory."""

    def __init__(self, inner: Inputs, data_dir: Path) -> None:
        self._inner = inner
        self._path = data_dir / "inputs.json"
        self._kept = _load(self._path)

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """Now's, or while the API is away the last one."""
        try:
            found = await self._inner.config_map(namespace, name)
        except ApiError as error:
            return _fall_back(self._kept.config_maps, f"{namespace}/{name}", error)
        self._keep(self._kept.config_maps, f"{namespace}/{name}", found)
        return found

    async def secret(self, namespace: str, name: str) -> Secret | None:
        """Now's, or while the API is away the last one."""
        try:
            found = await self._inner.secret(namespace, name)
        except ApiError as error:
            return _fall_back(self._kept.secrets, f"{namespace}/{name}", error)
        self._keep(self._kept.secrets, f"{namespace}/{name}", found)
        return found

    def services(self, namespace: str) -> Iterable[Service]:
        """As last heard; before anything was heard, those of the run before."""
        if not self._inner.services_known():
            return self._kept.services.get(namespace, [])
        heard = sorted(self._inner.services(namespace), key=lambda s: s.metadata.name)
        self._keep(self._kept.services, namespace, heard)
        return heard

    def services_known(self) -> bool:
        """Whether the API has told its services."""
        return self._inner.services_known()

    async def tokens(self, pod: Pod) -> Mapping[str, str]:
        """Tokens keep themselves: see `tokens`."""
        return await self._inner.tokens(pod)

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        """Now's, or while the API is away the last one."""
        try:
            found = await self._inner.claim(namespace, name)
        except ApiError as error:
            return _fall_back(self._kept.claims, f"{namespace}/{name}", error)
        self._keep(self._kept.claims, f"{namespace}/{name}", found)
        return found

    async def persistent_volume(self, name: str) -> PersistentVolume | None:
        """Now's, or while the API is away the last one."""
        try:
            found = await self._inner.persistent_volume(name)
        except ApiError as error:
            return _fall_back(self._kept.volumes, name, error)
        self._keep(self._kept.volumes, name, found)
        return found

    def forget_others(self, namespaces: frozenset[str]) -> None:
        """Drop what belongs to namespaces that this node has no pods of."""
        before = self._kept.count()
        for table in (self._kept.config_maps, self._kept.secrets, self._kept.claims):
            for key in [k for k in table if k.partition("/")[0] not in namespaces]:
                table.pop(key)
        for key in [k for k in self._kept.services if k not in namespaces | {"default"}]:
            self._kept.services.pop(key)
        named = {claim.spec.volumeName for claim in self._kept.claims.values()}
        for key in self._kept.volumes.keys() - named:
            self._kept.volumes.pop(key)
        if self._kept.count() != before:
            self._save()

    def _keep(self, table: dict[str, V], key: str, found: V | None) -> None:
        if table.get(key) == found:
            return
        if found is None:
            del table[key]
        else:
            table[key] = found
        self._save()

    def _save(self) -> None:
        try:
            write_atomic(self._path, jsonio.dumps(self._kept))
        except OSError as error:  # a full disk must not stop pods: the next change tries again
            log.warning("inputs not kept", path=str(self._path), error=str(error))


def _fall_back(table: Mapping[str, V], key: str, error: ApiError) -> V:
    kept = table.get(key)
    if kept is None or error.code < 500:
        raise error
    return kept


def _load(path: Path) -> Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return Kept()
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("last inputs not read", path=str(path), error=str(error))
        return Kept()
