"""Words of storage that claims and volumes share. Called by their columns and validation."""

from collections.abc import Iterable, Iterator, Sequence

from appliance.api import faults
from appliance.api.errors import Cause

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")

_SHORT = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def modes_cell(modes: Iterable[str]) -> str:
    """`RWO,ROX`, in a fixed order."""
    known = set(modes)
    return ",".join(short for mode, short in _SHORT.items() if mode in known)


def volume_mode_cell(mode: str | None) -> str:
    """`Filesystem`, or `<unset>`."""
    return "<unset>" if mode is None else mode


def access_modes(modes: Sequence[str], path: str) -> Iterator[Cause]:
    """Check how a volume may be used."""
    if not modes:
        yield faults.required(path, "at least 1 access mode is required")
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield faults.unsupported(path, mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        yield faults.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def volume_mode(mode: str | None, path: str) -> Iterator[Cause]:
    """Check whether a volume is a file system or a device."""
    if mode is not None and mode not in VOLUME_MODES:
        yield faults.unsupported(path, mode, VOLUME_MODES)
