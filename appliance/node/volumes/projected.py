"""Files out of objects: configMap, secret, downwardAPI and projected volumes.

Pure part: `files_of` says which files a volume has. Then `write_files` puts them in place so that
a reader sees either all old or all new ones: a new folder `..<n>`, the link `..data` renamed onto
it, and one link per file through `..data`.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.volumes import (
    DownwardAPIVolumeFile,
    KeyToPath,
    Volume,
    VolumeProjection,
)
from appliance.node.pods.downward import container_field, pod_field
from appliance.node.volumes.base import Materials, VolumeFault

DEFAULT_MODE = 0o644
FOREIGN_CONFIG_MAPS = frozenset({"openshift-service-ca.crt"})
"""Named by every pod's token volume, as recorded servers have it, but there on some clusters only:
a node that finds none leaves the file out."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume."""

    data: bytes
    mode: int = DEFAULT_MODE


Files = dict[str, File]


def files_of(pod: Pod, volume: Volume, materials: Materials) -> Files:
    """All files of a projected volume by relative path.

    Raises:
        VolumeFault: an object or a key that is not optional is missing.
    """
    if volume.configMap is not None:
        ref = volume.configMap
        mode = _mode(ref.defaultMode)
        return _config_map(materials, ref.name, ref.items, optional=bool(ref.optional), mode=mode)
    if volume.secret is not None:
        secret = volume.secret
        mode = _mode(secret.defaultMode)
        return _secret(
            materials, secret.secretName, secret.items, optional=bool(secret.optional), mode=mode
        )
    if volume.downwardAPI is not None:
        own = volume.downwardAPI
        return _downward(pod, own.items, materials, _mode(own.defaultMode))
    made: Files = {}
    if volume.projected is not None:
        mode = _mode(volume.projected.defaultMode)
        for source in volume.projected.sources:
            made.update(_projection(pod, source, materials, mode))
    return made


def _projection(pod: Pod, source: VolumeProjection, materials: Materials, mode: int) -> Files:
    if source.configMap is not None:
        ref = source.configMap
        return _config_map(materials, ref.name, ref.items, optional=bool(ref.optional), mode=mode)
    if source.secret is not None:
        other = source.secret
        return _secret(materials, other.name, other.items, optional=bool(other.optional), mode=mode)
    if source.downwardAPI is not None:
        return _downward(pod, source.downwardAPI.items, materials, mode)
    if source.serviceAccountToken is not None:
        wanted = source.serviceAccountToken
        token = materials.tokens.get(wanted.audience)
        # A pod without an account, from a manifest of the node, has none: its clients then say
        # that they have no credentials, which is true, instead of sending an empty one.
        return {} if token is None else {wanted.path: File(token.encode(), mode)}
    return {}


def _config_map(
    materials: Materials, name: str, items: Iterable[KeyToPath], *, optional: bool, mode: int
) -> Files:
    found = materials.config_maps.get(name)
    if found is None:
        optional = optional or name in FOREIGN_CONFIG_MAPS
        return _missing(f'configmap "{name}" not found', optional=optional)
    data = {key: text.encode() for key, text in found.data.items()} | dict(found.binaryData)
    return _chosen(data, items, f"configmap {name}", optional=optional, mode=mode)


def _secret(
    materials: Materials, name: str, items: Iterable[KeyToPath], *, optional: bool, mode: int
) -> Files:
    found = materials.secrets.get(name)
    if found is None:
        return _missing(f'secret "{name}" not found', optional=optional)
    return _chosen(found.data, items, f"secret {name}", optional=optional, mode=mode)


def _downward(
    pod: Pod, items: Iterable[DownwardAPIVolumeFile], materials: Materials, mode: int
) -> Files:
    made: Files = {}
    for item in items:
        text = ""
        if item.fieldRef is not None:
            text = pod_field(pod, item.fieldRef.fieldPath, materials.facts)
        elif item.resourceFieldRef is not None and pod.spec.containers:
            first = pod.spec.containers[0]
            text = container_field(pod, first, item.resourceFieldRef, materials.facts)
        made[_safe(item.path)] = File(text.encode(), item.mode if item.mode is not None else mode)
    return made


def _chosen(
    data: Mapping[str, bytes], items: Iterable[KeyToPath], what: str, *, optional: bool, mode: int
) -> Files:
    """All keys, or those that `items` names under their paths."""
    listed = list(items)
    if not listed:
        return {key: File(body, mode) for key, body in data.items()}
    made: Files = {}
    for item in listed:
        if item.key not in data:
            made.update(_missing(f"{what} has no key {item.key}", optional=optional))
            continue
        made[_safe(item.path)] = File(data[item.key], item.mode if item.mode is not None else mode)
    return made


def _missing(message: str, *, optional: bool) -> Files:
    if optional:
        return {}
    raise VolumeFault(message)


def _safe(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise VolumeFault(f'the path "{path}" leads out of its volume')
    return path


def _mode(mode: int | None) -> int:
    return DEFAULT_MODE if mode is None else mode


def write_files(folder: Path, files: Files, group: int | None = None) -> bool:
    """Put the files in place at once; says whether anything changed."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "..data"
    if link.is_symlink() and _same(link, files):
        return False
    old = link.readlink().name if link.is_symlink() else ""
    number = int(old.removeprefix("..")) + 1 if old.removeprefix("..").isdecimal() else 1
    fresh = folder / f"..{number}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o755)
    for path, file in files.items():
        _write(fresh / path, file, group)
    beside = folder / "..data_tmp"
    beside.unlink(missing_ok=True)
    beside.symlink_to(fresh.name)
    beside.replace(link)
    _link_names(folder, files)
    if old:
        shutil.rmtree(folder / old, ignore_errors=True)
    return True


def _write(path: Path, file: File, group: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.data)
    if group is not None:
        os.chown(path, -1, group)
    path.chmod(file.mode | (0o040 if group is not None else 0))


def _link_names(folder: Path, files: Files) -> None:
    """One link per first part of a path; links of what is gone are removed."""
    wanted = {path.partition("/")[0] for path in files}
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
    for name in wanted:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")


def _same(link: Path, files: Files) -> bool:
    root = link.resolve()
    there = {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
    return there == {path: file.data for path, file in files.items()}
