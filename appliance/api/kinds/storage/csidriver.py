"""CSIDriver: facts about a CSI driver."""

from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int64, Message, always


class TokenRequest(Message):
    """A token that a driver wants."""

    audience: Annotated[str, F(1, "For whom the token is.", required=True)] = always(str)
    expirationSeconds: Annotated[Int64 | None, F(2, "How long it lasts.")] = None


class CSIDriverSpec(Message):
    """What a CSI driver needs."""

    attachRequired: Annotated[
        bool | None, F(1, "Whether volumes must be attached before they are mounted.")
    ] = None
    podInfoOnMount: Annotated[
        bool | None, F(2, "Whether it wants to know the pod when mounting.")
    ] = None
    volumeLifecycleModes: Annotated[
        list[str], F(3, "Persistent, Ephemeral or both.", list_type="set")
    ] = []
    storageCapacity: Annotated[
        bool | None, F(4, "Whether scheduling looks at its storage capacities.")
    ] = None
    fsGroupPolicy: Annotated[
        str | None,
        F(5, "Whether volumes get the pod's group: ReadWriteOnceWithFSType, File or None."),
    ] = None
    tokenRequests: Annotated[
        list[TokenRequest], F(6, "Tokens of the pod's account that it wants.", list_type="atomic")
    ] = []
    requiresRepublish: Annotated[
        bool | None, F(7, "Whether it is called again and again for mounted volumes.")
    ] = None
    seLinuxMount: Annotated[bool | None, F(8, "Whether it can mount with an SELinux label.")] = None
    nodeAllocatableUpdatePeriodSeconds: Annotated[
        Int64 | None, F(9, "How often the number of volumes a node can take is asked for.")
    ] = None
    serviceAccountTokenInSecrets: Annotated[
        bool | None, F(10, "Whether tokens come among the secrets.")
    ] = None
    preventPodSchedulingIfMissing: Annotated[
        bool | None, F(11, "Whether pods stay off nodes that lack the driver.")
    ] = None


class CSIDriver(KubeObject):
    """Facts about a CSI driver."""

    spec: Annotated[CSIDriverSpec, F(2, "What is wanted.", required=True)] = always(CSIDriverSpec)


MODES = ("Persistent", "Ephemeral")
GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
NAME_MAX = 63
_TOKEN_LEAST_S = 600


def _cells(obj: CSIDriver, now: float) -> list[Any]:
    spec = obj.spec
    modes = ",".join(spec.volumeLifecycleModes) or "<none>"
    tokens = ",".join(t.audience for t in spec.tokenRequests) or "<unset>"
    return [
        obj.metadata.name,
        spec.attachRequired is not False,
        bool(spec.podInfoOnMount),
        bool(spec.storageCapacity),
        tokens,
        bool(spec.requiresRepublish),
        modes,
        age(obj, now),
    ]


def _set_defaults(obj: CSIDriver) -> None:
    spec = obj.spec
    if spec.attachRequired is None:
        spec.attachRequired = True
    if spec.fsGroupPolicy is None:
        spec.fsGroupPolicy = "ReadWriteOnceWithFSType"
    spec.volumeLifecycleModes = spec.volumeLifecycleModes or ["Persistent"]
    for name in ("podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"):
        if getattr(spec, name) is None:
            setattr(spec, name, False)


def _name(text: str) -> list[str]:
    found = names.dns_subdomain(text.lower())
    return (
        [*found, f"must be no more than {NAME_MAX} characters"] if len(text) > NAME_MAX else found
    )


def _validate(obj: CSIDriver) -> list[Cause]:
    spec = obj.spec
    needed = ("attachRequired", "podInfoOnMount", "storageCapacity")
    found = [faults.required(f"spec.{name}") for name in needed if getattr(spec, name) is None]
    if spec.fsGroupPolicy is not None:
        found += checks.one_of(spec.fsGroupPolicy, GROUP_POLICIES, "spec.fsGroupPolicy")
    for mode in spec.volumeLifecycleModes:
        found += checks.one_of(mode, MODES, "spec.volumeLifecycleModes")
    seen: set[str] = set()
    for index, wanted in enumerate(spec.tokenRequests):
        here = f"spec.tokenRequests[{index}]"
        if wanted.audience in seen:
            found.append(faults.duplicate(f"{here}.audience", wanted.audience))
        seen.add(wanted.audience)
        seconds = wanted.expirationSeconds
        if seconds is not None and seconds < _TOKEN_LEAST_S:
            why = "may not specify a duration less than 10 minutes"
            found.append(faults.wrong(f"{here}.expirationSeconds", seconds, why))
    return found


def _validate_update(new: CSIDriver, old: CSIDriver) -> list[Cause]:
    fixed = [
        fault
        for name in ("attachRequired", "volumeLifecycleModes")
        for fault in checks.same(getattr(new.spec, name), getattr(old.spec, name), f"spec.{name}")
    ]
    return [*_validate(new), *fixed]


CSI_DRIVER = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    singular="csidriver",
    namespaced=False,
    type=CSIDriver,
    columns=(
        Column("Name", format="name"),
        Column("AttachRequired", "boolean"),
        Column("PodInfoOnMount", "boolean"),
        Column("StorageCapacity", "boolean"),
        Column("TokenRequests"),
        Column("RequiresRepublish", "boolean"),
        Column("Modes"),
        Column("Age"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    validate_name=_name,
    validate=_validate,
    validate_update=_validate_update,
    unconditional_update=False,
)
