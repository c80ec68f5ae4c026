"""PriorityClass: a named priority for pods."""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, always


class PriorityClass(KubeObject):
    """A named priority for pods."""

    value: Annotated[
        Int32, F(2, "The priority; higher goes first. At most a billion for users.")
    ] = always(int)
    globalDefault: Annotated[bool, F(3, "Whether pods without a class get this one.")] = False
    description: Annotated[str, F(4, "What it is for, for people.")] = ""
    preemptionPolicy: Annotated[
        str | None, F(5, "Whether its pods may push out lower ones: PreemptLowerPriority or Never.")
    ] = None


HIGHEST = 1_000_000_000
"""What is above it is for the system."""
SYSTEM_PREFIX = "system-"
SYSTEM_CLASSES = {
    "system-cluster-critical": 2 * HIGHEST,
    "system-node-critical": 2 * HIGHEST + 1000,
}
POLICIES = ("PreemptLowerPriority", "Never")


def _cells(obj: PriorityClass, now: float) -> list[Any]:
    return [
        obj.metadata.name,
        obj.value,
        obj.globalDefault,
        age(obj, now),
        obj.preemptionPolicy or "",
    ]


def _set_defaults(obj: PriorityClass) -> None:
    if obj.preemptionPolicy is None:
        obj.preemptionPolicy = "PreemptLowerPriority"


def _validate(obj: PriorityClass) -> list[Cause]:
    name = obj.metadata.name
    found: list[Cause] = []
    if name.startswith(SYSTEM_PREFIX):
        if SYSTEM_CLASSES.get(name) != obj.value:
            known = (
                f"value of {name} PriorityClass must be {SYSTEM_CLASSES[name]}"
                if name in SYSTEM_CLASSES
                else f"{name} is not a known system priority class"
            )
            why = (
                "priority class names with 'system-' prefix are reserved for system use only."
                f" error: {known}"
            )
            found.append(faults.forbidden("metadata.name", why))
    elif obj.value > HIGHEST:
        why = f"maximum allowed value of a user defined priority is {HIGHEST}"
        found.append(faults.forbidden("value", why))
    policy = obj.preemptionPolicy
    if policy is not None:
        found += checks.one_of(policy, POLICIES, "preemptionPolicy")
    return found


def _validate_update(new: PriorityClass, old: PriorityClass) -> list[Cause]:
    found = list(checks.same(new.preemptionPolicy, old.preemptionPolicy, "preemptionPolicy"))
    if new.value != old.value:
        found.append(faults.forbidden("value", "may not be changed in an update."))
    return found


PRIORITY_CLASS = Kind(
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    singular="priorityclass",
    namespaced=False,
    type=PriorityClass,
    short_names=("pc",),
    columns=(
        Column("Name", format="name"),
        Column("Value", "integer"),
        Column("Global-Default", "boolean"),
        Column("Age"),
        Column("PreemptionPolicy"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
)
