"""LimitRange: bounds and defaults for what objects of a namespace may ask for."""

from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api import faults, names, quantity
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, Quantity, always


class LimitRangeItem(Message):
    """Bounds for one kind of thing."""

    type: Annotated[str, F(1, "Pod, Container or PersistentVolumeClaim.", required=True)] = always(
        str
    )
    max: Annotated[dict[str, Quantity], F(2, "The most, by resource.")] = {}
    min: Annotated[dict[str, Quantity], F(3, "The least, by resource.")] = {}
    default: Annotated[dict[str, Quantity], F(4, "Limits of containers that say none.")] = {}
    defaultRequest: Annotated[
        dict[str, Quantity], F(5, "Requests of containers that say none.")
    ] = {}
    maxLimitRequestRatio: Annotated[
        dict[str, Quantity], F(6, "How many times the request a limit may be at most.")
    ] = {}


class LimitRangeSpec(Message):
    """The bounds of a limit range."""

    limits: Annotated[
        list[LimitRangeItem],
        F(1, "Bounds, one for each kind of thing.", required=True, list_type="atomic"),
    ] = always(list)


class LimitRange(KubeObject):
    """Bounds and defaults for what objects of a namespace may ask for."""

    spec: Annotated[LimitRangeSpec, F(2, "What is wanted.")] = always(LimitRangeSpec)


POD, CLAIM, CONTAINER = "Pod", "PersistentVolumeClaim", "Container"
_LISTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")

_ORDER = (
    # these may not be greater than those: what is named, what is shown, the message
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip


def _cells(obj: LimitRange, _now: float) -> list[Any]:
    return [obj.metadata.name, obj.metadata.creationTimestamp]


def _set_defaults(obj: LimitRange) -> None:
    for item in obj.spec.limits:
        if item.type == CONTAINER:
            # A limit where none is said is the most there is; a request is the limit, or the least.
            item.default = item.max | item.default
            item.defaultRequest = item.min | item.default | item.defaultRequest


def _validate(obj: LimitRange) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, item in enumerate(obj.spec.limits):
        path = f"spec.limits[{index}]"
        found += checks.named(names.qualified_name, item.type, f"{path}.type")
        if item.type in seen:
            found.append(faults.duplicate(f"{path}.type", item.type))
        seen.add(item.type)
        found += _item(item, path)
    return found


def _item(item: LimitRangeItem, path: str) -> Iterator[Cause]:
    for name in _LISTS:
        amounts = getattr(item, name)
        if amounts and name.startswith("default") and item.type == POD:
            why = "may not be specified when `type` is 'Pod'"
            yield faults.forbidden(f"{path}.{name}", why)
            continue
        for key in amounts:
            yield from checks.named(names.qualified_name, key, f"{path}.{name}[{key}]")
    if item.type == CLAIM and "storage" not in item.min and "storage" not in item.max:
        why = "either minimum or maximum storage value is required, but neither was provided"
        yield faults.required(f"{path}.limits", why)
    for key in sorted({key for name in _LISTS for key in getattr(item, name)}):
        yield from _amounts(item, key, path)


def _amounts(item: LimitRangeItem, key: str, path: str) -> Iterator[Cause]:
    found = {
        name: quantity.read(amounts[key])
        for name in _LISTS
        if key in (amounts := getattr(item, name))
        and not (item.type == POD and name.startswith("default"))
    }
    for low, high, at, shown, why in _ORDER:
        if low in found and high in found and found[low].value > found[high].value:
            text = why.format(found[low], found[high])
            yield faults.wrong(f"{path}.{at}[{key}]", str(found[shown]), text)
    ratio = found.get("maxLimitRequestRatio")
    if ratio is None:
        return
    here = f"{path}.maxLimitRequestRatio[{key}]"
    if ratio.value < 1:
        yield faults.wrong(here, str(ratio), f"ratio {ratio} is less than 1")
    least, most = found.get("min"), found.get("max")
    if least and most and least.value and ratio.value > most.value / least.value:
        bound = float(most.value / least.value)
        why = f"ratio {ratio} is greater than max/min = {bound:f}"
        yield faults.wrong(here, str(ratio), why)


def _validate_update(new: LimitRange, _old: LimitRange) -> list[Cause]:
    return _validate(new)


LIMIT_RANGE = Kind(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    singular="limitrange",
    namespaced=True,
    type=LimitRange,
    short_names=("limits",),
    columns=(Column("Name", format="name"), Column("Created At", "date")),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
    repeats_meta_faults=False,
)
