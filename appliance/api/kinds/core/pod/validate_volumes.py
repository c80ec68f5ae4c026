"""Volumes of a pod spec. Called by the validation of pods.

Drivers of vendors are checked for their required fields only.
Source: kubernetes `pkg/apis/core/validation/validation.go`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from appliance.api import faults, names, quantity
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.pod.validate_env import field_ref, resource_ref
from appliance.api.kinds.core.pod.volume_drivers import (
    GitRepoVolumeSource,
    ISCSIVolumeSource,
    NFSVolumeSource,
)
from appliance.api.kinds.core.pod.volumes import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    KeyToPath,
    ProjectedVolumeSource,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
    VolumeSource,
)

VOLUME_FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
BAD_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
TOKEN_SECONDS_MIN = 600
TOKEN_SECONDS_MAX = 2**32

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "glusterfs": ("endpoints", "path"),
    "persistentVolumeClaim": ("claimName",),
    "rbd": ("monitors", "image"),
    "flexVolume": ("driver",),
    "cinder": ("volumeID",),
    "cephfs": ("monitors",),
    "azureFile": ("secretName", "shareName"),
    "vsphereVolume": ("volumePath",),
    "quobyte": ("registry", "volume"),
    "azureDisk": ("diskName", "diskURI"),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "scaleIO": ("gateway", "system", "volumeName"),
    "storageos": ("volumeName",),
    "csi": ("driver",),
}


def volumes(found: Sequence[Volume], path: str) -> tuple[list[Cause], frozenset[str]]:
    """Check volumes; also give the names of those that mounts may refer to."""
    problems: list[Cause] = []
    sound: set[str] = set()
    for index, volume in enumerate(found):
        own = [*_source(volume, f"{path}[{index}]"), *_name(volume.name, sound, f"{path}[{index}]")]
        problems += own
        if not own:
            sound.add(volume.name)
    return problems, frozenset(sound)


def _name(name: str, seen: set[str], path: str) -> Iterator[Cause]:
    if not name:
        yield faults.required(f"{path}.name")
        return
    yield from checks.named(names.dns_label, name, f"{path}.name")
    if name in seen:
        yield faults.duplicate(f"{path}.name", name)


def _source(volume: VolumeSource, path: str) -> Iterator[Cause]:
    found = [n for n in VolumeSource.__struct_fields__ if getattr(volume, n) is not None]
    if not found:
        yield faults.required(path, "must specify a volume type")
        return
    first = found[0]
    yield from _one(first, getattr(volume, first), f"{path}.{first}")
    for name in found[1:]:
        yield faults.forbidden(f"{path}.{name}", "may not specify more than 1 volume type")


def _one(name: str, source: Any, path: str) -> Iterator[Cause]:
    for field in REQUIRED.get(name, ()):
        yield from checks.required(getattr(source, field), f"{path}.{field}")
    if name in _RULES:
        yield from _RULES[name](source, path)


def _empty_dir(source: EmptyDirVolumeSource, path: str) -> Iterator[Cause]:
    if source.sizeLimit is not None and quantity.read(source.sizeLimit).value < 0:
        why = "SizeLimit field must be a valid resource quantity"
        yield faults.forbidden(f"{path}.sizeLimit", why)


def _host_path(source: HostPathVolumeSource, path: str) -> Iterator[Cause]:
    yield from checks.required(source.path, f"{path}.path")
    yield from checks.no_backsteps(source.path, f"{path}.path")
    if source.type is not None and source.type not in HOST_PATH_TYPES:
        yield faults.unsupported(f"{path}.type", source.type, HOST_PATH_TYPES)


def _git_repo(source: GitRepoVolumeSource, path: str) -> Iterator[Cause]:
    yield from checks.required(source.repository, f"{path}.repository")
    yield from checks.descending(source.directory, f"{path}.directory")


def _nfs(source: NFSVolumeSource, path: str) -> Iterator[Cause]:
    yield from checks.required(source.server, f"{path}.server")
    yield from checks.required(source.path, f"{path}.path")
    yield from checks.absolute(source.path, f"{path}.path")


def _iscsi(source: ISCSIVolumeSource, path: str) -> Iterator[Cause]:
    yield from checks.required(source.targetPortal, f"{path}.targetPortal")
    yield from checks.required(source.iqn, f"{path}.iqn")
    yield from checks.between(source.lun, 0, 255, f"{path}.lun")


def _image(source: ImageVolumeSource, path: str) -> Iterator[Cause]:
    yield from checks.required(source.reference, f"{path}.reference")
    if source.pullPolicy and source.pullPolicy not in PULL_POLICIES:
        yield faults.unsupported(f"{path}.pullPolicy", source.pullPolicy, PULL_POLICIES)


def _ephemeral(source: EphemeralVolumeSource, path: str) -> Iterator[Cause]:
    if source.volumeClaimTemplate is None:
        yield faults.required(f"{path}.volumeClaimTemplate")
        return
    spec, here = source.volumeClaimTemplate.spec, f"{path}.volumeClaimTemplate.spec"
    if not spec.accessModes:
        yield faults.required(f"{here}.accessModes", "at least 1 access mode is required")
    if "storage" not in spec.resources.requests:
        yield faults.required(f"{here}.resources[storage]")


def _secret(source: SecretVolumeSource, path: str) -> Iterator[Cause]:
    yield from checks.required(source.secretName, f"{path}.secretName")
    yield from _mode(source.defaultMode, f"{path}.defaultMode")
    yield from _items(source.items, f"{path}.items")


def _config_map(source: ConfigMapVolumeSource, path: str) -> Iterator[Cause]:
    yield from checks.required(source.name, f"{path}.name")
    yield from _mode(source.defaultMode, f"{path}.defaultMode")
    yield from _items(source.items, f"{path}.items")


def _mode(mode: int | None, path: str) -> Iterator[Cause]:
    if mode is not None and not 0 <= mode <= 0o777:
        yield faults.wrong(path, mode, BAD_MODE)


def _items(items: Sequence[KeyToPath], path: str) -> Iterator[Cause]:
    for index, item in enumerate(items):
        here = f"{path}[{index}]"
        yield from checks.required(item.key, f"{here}.key")
        yield from _file(item.path, item.mode, here)


def _file(name: str, mode: int | None, path: str) -> Iterator[Cause]:
    yield from checks.required(name, f"{path}.path")
    yield from checks.descending_unreserved(name, f"{path}.path")
    yield from _mode(mode, f"{path}.mode")


def _downward(source: DownwardAPIVolumeSource, path: str) -> Iterator[Cause]:
    yield from _mode(source.defaultMode, f"{path}.defaultMode")
    yield from _downward_files(source.items, path)


def _downward_files(items: Sequence[DownwardAPIVolumeFile], path: str) -> Iterator[Cause]:
    # Upstream's paths name neither `items` nor the index.
    for item in items:
        yield from _file(item.path, item.mode, path)
        if item.fieldRef:
            yield from field_ref(item.fieldRef, VOLUME_FIELDS, f"{path}.fieldRef")
            if item.resourceFieldRef:
                why = "fieldRef and resourceFieldRef can not be specified simultaneously"
                yield faults.wrong(path, "resource", why)
        elif item.resourceFieldRef:
            here = f"{path}.resourceFieldRef"
            yield from resource_ref(item.resourceFieldRef, here, container_needed=True)
        else:
            yield faults.required(path, "one of fieldRef and resourceFieldRef is required")


def _projected(source: ProjectedVolumeSource, path: str) -> Iterator[Cause]:
    yield from _mode(source.defaultMode, f"{path}.defaultMode")
    for index, part in enumerate(source.sources):
        yield from _projection(part, f"{path}.sources[{index}]")


def _projection(part: VolumeProjection, path: str) -> Iterator[Cause]:
    for plain in ("secret", "configMap"):
        source = getattr(part, plain)
        if source is not None:
            yield from checks.required(source.name, f"{path}.{plain}.name")
            yield from _items(source.items, f"{path}.{plain}.items")
    if part.downwardAPI:
        yield from _downward_files(part.downwardAPI.items, f"{path}.downwardAPI")
    if part.serviceAccountToken:
        yield from _token(part.serviceAccountToken, f"{path}.serviceAccountToken")
    if sum(getattr(part, n) is not None for n in part.__struct_fields__) > 1:
        yield faults.forbidden(path, "may not specify more than 1 volume type per source")


def _token(source: ServiceAccountTokenProjection, path: str) -> Iterator[Cause]:
    life_s = source.expirationSeconds
    here = f"{path}.expirationSeconds"
    if life_s is not None and life_s < TOKEN_SECONDS_MIN:
        yield faults.wrong(here, life_s, "may not specify a duration less than 10 minutes")
    elif life_s is not None and life_s > TOKEN_SECONDS_MAX:
        yield faults.wrong(here, life_s, "may not specify a duration larger than 2^32 seconds")
    yield from checks.required(source.path, f"{path}.path")
    yield from checks.descending_unreserved(source.path, f"{path}.path")


_RULES: Mapping[str, Callable[[Any, str], Iterator[Cause]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": _git_repo,
    "nfs": _nfs,
    "iscsi": _iscsi,
    "image": _image,
    "ephemeral": _ephemeral,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
}
