"""What a volume gets where the user said nothing. Called by the defaults of pod specs.

Source: kubernetes `pkg/apis/core/v1/defaults.go`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from appliance.api.kinds.core.pod.pull_policy import pull_policy
from appliance.api.kinds.core.pod.volume_drivers import (
    AzureDiskVolumeSource,
    ISCSIVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
)
from appliance.api.kinds.core.pod.volumes import (
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    ProjectedVolumeSource,
    Volume,
    VolumeSource,
)
from appliance.api.kinds.core.volume_sources import (
    ISCSIPersistentVolumeSource,
    RBDPersistentVolumeSource,
    ScaleIOPersistentVolumeSource,
)

FILE_MODE = 0o644
TOKEN_SECONDS = 3600

SOURCES = VolumeSource.__struct_fields__


def set_volume_defaults(volume: Volume) -> None:
    """Default a volume; one without any source is an emptyDir."""
    sources = [s for name in SOURCES if (s := getattr(volume, name)) is not None]
    if not sources:
        volume.emptyDir = EmptyDirVolumeSource()
    for source in sources:
        set_source_defaults(source)


def set_source_defaults(source: Any) -> None:
    """Default one source, of a pod's volume or of a persistent one."""
    _RULES.get(type(source), _file_mode)(source)


def _file_mode(source: Any) -> None:
    if getattr(source, "defaultMode", 0) is None:
        source.defaultMode = FILE_MODE


def _host_path(source: HostPathVolumeSource) -> None:
    source.type = source.type or ""


def _downward(source: DownwardAPIVolumeSource) -> None:
    _file_mode(source)
    _field_versions(source.items)


def _field_versions(items: Iterable[DownwardAPIVolumeFile]) -> None:
    for item in items:
        if item.fieldRef:
            item.fieldRef.apiVersion = item.fieldRef.apiVersion or "v1"


def _projected(source: ProjectedVolumeSource) -> None:
    _file_mode(source)
    for part in source.sources:
        if part.downwardAPI:
            _field_versions(part.downwardAPI.items)
        if part.serviceAccountToken and part.serviceAccountToken.expirationSeconds is None:
            part.serviceAccountToken.expirationSeconds = TOKEN_SECONDS


def _ephemeral(source: EphemeralVolumeSource) -> None:
    if source.volumeClaimTemplate:
        spec = source.volumeClaimTemplate.spec
        spec.volumeMode = spec.volumeMode or "Filesystem"


def _image(source: ImageVolumeSource) -> None:
    source.pullPolicy = source.pullPolicy or pull_policy(source.reference)


def _iscsi(source: ISCSIVolumeSource | ISCSIPersistentVolumeSource) -> None:
    source.iscsiInterface = source.iscsiInterface or "default"


def _rbd(source: RBDVolumeSource | RBDPersistentVolumeSource) -> None:
    source.pool = source.pool or "rbd"
    source.user = source.user or "admin"
    source.keyring = source.keyring or "/etc/ceph/keyring"


def _azure_disk(source: AzureDiskVolumeSource) -> None:
    source.cachingMode = source.cachingMode or "ReadWrite"
    source.kind = source.kind or "Shared"
    source.fsType = source.fsType or "ext4"
    source.readOnly = bool(source.readOnly)


def _scale_io(source: ScaleIOVolumeSource | ScaleIOPersistentVolumeSource) -> None:
    source.storageMode = source.storageMode or "ThinProvisioned"
    source.fsType = source.fsType or "xfs"


_RULES: dict[type, Callable[[Any], None]] = {
    HostPathVolumeSource: _host_path,
    DownwardAPIVolumeSource: _downward,
    ProjectedVolumeSource: _projected,
    EphemeralVolumeSource: _ephemeral,
    ImageVolumeSource: _image,
    ISCSIVolumeSource: _iscsi,
    RBDVolumeSource: _rbd,
    AzureDiskVolumeSource: _azure_disk,
    ScaleIOVolumeSource: _scale_io,
    ISCSIPersistentVolumeSource: _iscsi,
    RBDPersistentVolumeSource: _rbd,
    ScaleIOPersistentVolumeSource: _scale_io,
}
