"""StorageClass: a kind of storage that claims can ask for."""

from collections.abc import Iterable
from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.topology import TopologySelectorTerm
from appliance.api.meta import KubeObject
from appliance.api.schema import F, always


class StorageClass(KubeObject):
    """A kind of storage that claims can ask for."""

    provisioner: Annotated[str, F(2, "Who makes the volumes.", required=True)] = always(str)
    parameters: Annotated[dict[str, str], F(3, "More facts for the provisioner.")] = {}
    reclaimPolicy: Annotated[
        str | None, F(4, "What becomes of volumes when their claim goes; Delete unless said.")
    ] = None
    mountOptions: Annotated[
        list[str], F(5, "Options for mounting the volumes.", list_type="atomic")
    ] = []
    allowVolumeExpansion: Annotated[bool | None, F(6, "Whether claims may grow.")] = None
    volumeBindingMode: Annotated[
        str | None, F(7, "Immediate, or WaitForFirstConsumer: only when a pod needs it.")
    ] = None
    allowedTopologies: Annotated[
        list[TopologySelectorTerm],
        F(8, "Where volumes may be made; anywhere unless said.", list_type="atomic"),
    ] = []


DEFAULT_ANNOTATION = "storageclass.kubernetes.io/is-default-class"
OLD_DEFAULT_ANNOTATION = "storageclass.beta.kubernetes.io/is-default-class"
PARAMETERS_MAX = 512
PARAMETERS_SIZE_BYTES = 256 * 1024
RECLAIM_POLICIES = ("Delete", "Retain")
BINDING_MODES = ("Immediate", "WaitForFirstConsumer")


def is_default(obj: StorageClass) -> bool:
    """Whether claims that name no class get this one."""
    found = obj.metadata.annotations
    return "true" in (found.get(DEFAULT_ANNOTATION), found.get(OLD_DEFAULT_ANNOTATION))


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """The newest of the default classes, if there is any; of equals the first by name."""
    found = sorted(filter(is_default, classes), key=lambda c: c.metadata.name)
    return max(found, key=lambda c: c.metadata.creationTimestamp or "", default=None)


def _cells(obj: StorageClass, now: float) -> list[Any]:
    return [
        obj.metadata.name + (" (default)" if is_default(obj) else ""),
        obj.provisioner,
        obj.reclaimPolicy or "Delete",
        obj.volumeBindingMode or "<unset>",
        bool(obj.allowVolumeExpansion),
        age(obj, now),
    ]


def _set_defaults(obj: StorageClass) -> None:
    if obj.reclaimPolicy is None:
        obj.reclaimPolicy = "Delete"
    if obj.volumeBindingMode is None:
        obj.volumeBindingMode = "Immediate"


def _validate(obj: StorageClass) -> list[Cause]:
    found: list[Cause] = []
    if not obj.provisioner:
        found.append(faults.required("provisioner"))
    else:
        found += checks.named(names.qualified_name, obj.provisioner.lower(), "provisioner")
    if len(obj.parameters) > PARAMETERS_MAX:
        found.append(faults.too_long("parameters", PARAMETERS_MAX))
    if "" in obj.parameters:
        found.append(faults.wrong("parameters", "", "field can not be empty."))
    if sum(len(k) + len(v) for k, v in obj.parameters.items()) > PARAMETERS_SIZE_BYTES:
        found.append(faults.too_long("parameters", PARAMETERS_SIZE_BYTES))
    if obj.reclaimPolicy:
        found += checks.one_of(obj.reclaimPolicy, RECLAIM_POLICIES, "reclaimPolicy")
    mode = obj.volumeBindingMode
    if mode is None:
        found.append(faults.required("volumeBindingMode"))
    elif mode not in BINDING_MODES:
        found.append(faults.unsupported("volumeBindingMode", mode, BINDING_MODES))
    return found


def _validate_update(new: StorageClass, old: StorageClass) -> list[Cause]:
    found = _validate(new)
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if getattr(new, name) != getattr(old, name):
            found.append(faults.forbidden(name, f"updates to {name} are forbidden."))
    mode = checks.same(new.volumeBindingMode, old.volumeBindingMode, "volumeBindingMode")
    return [*found, *mode]


STORAGE_CLASS = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    singular="storageclass",
    namespaced=False,
    type=StorageClass,
    short_names=("sc",),
    columns=(
        Column("Name", format="name"),
        Column("Provisioner"),
        Column("ReclaimPolicy"),
        Column("VolumeBindingMode"),
        Column("AllowVolumeExpansion", "boolean"),
        Column("Age"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
)
