"""PriorityLevelConfiguration: how many requests of a level are worked on at a time.

Kept and validated for clients that manage them; see `flowschema.py`.
"""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.kinds.flowcontrol.flowschema import NO_EFFECT
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, Time, always, nullable

TYPES = ("Exempt", "Limited")
RESPONSES = ("Queue", "Reject")
_SHARES, _QUEUES, _HAND, _LENGTH = 30, 64, 8, 50


class QueuingConfiguration(Message):
    """How requests wait."""

    queues: Annotated[Int32, F(1, "How many queues; 64 unless said.")] = always(int)
    handSize: Annotated[Int32, F(2, "How many of them a flow may use; 8 unless said.")] = always(
        int
    )
    queueLengthLimit: Annotated[Int32, F(3, "How many may wait in one; 50 unless said.")] = always(
        int
    )


class LimitResponse(Message):
    """What is done with requests beyond the limit."""

    type: Annotated[str, F(1, "Queue or Reject.", required=True)] = always(str)
    queuing: Annotated[QueuingConfiguration | None, F(2, "How they wait.")] = None


class LimitedPriorityLevelConfiguration(Message):
    """A level with a limit."""

    nominalConcurrencyShares: Annotated[
        Int32 | None, F(1, "Its share of the seats; 30 unless said.")
    ] = None
    limitResponse: Annotated[LimitResponse, F(2, "What is done beyond the limit.")] = always(
        LimitResponse
    )
    lendablePercent: Annotated[Int32 | None, F(3, "How much of it others may use.")] = None
    borrowingLimitPercent: Annotated[
        Int32 | None, F(4, "How much it may use of what others lend.")
    ] = None


class ExemptPriorityLevelConfiguration(Message):
    """A level without a limit."""

    nominalConcurrencyShares: Annotated[Int32 | None, F(1, "Its share of the seats.")] = None
    lendablePercent: Annotated[Int32 | None, F(2, "How much of it others may use.")] = None


class PriorityLevelConfigurationSpec(Message):
    """What a level is like."""

    type: Annotated[str, F(1, "Limited or Exempt.", required=True)] = always(str)
    limited: Annotated[LimitedPriorityLevelConfiguration | None, F(2, "For Limited.")] = None
    exempt: Annotated[ExemptPriorityLevelConfiguration | None, F(3, "For Exempt.")] = None


class PriorityLevelConfigurationCondition(Message):
    """One aspect of a level."""

    type: Annotated[str, F(1, "Which aspect.")] = ""
    status: Annotated[str, F(2, "True, False or Unknown.")] = ""
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class PriorityLevelConfigurationStatus(Message):
    """How a level is."""

    conditions: Annotated[
        list[PriorityLevelConfigurationCondition],
        F(
            1,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class PriorityLevelConfiguration(KubeObject):
    """How many requests of a level are worked on at a time."""

    spec: Annotated[PriorityLevelConfigurationSpec, F(2, "What is wanted.")] = always(
        PriorityLevelConfigurationSpec
    )
    status: Annotated[PriorityLevelConfigurationStatus, F(3, "What was seen.")] = always(
        PriorityLevelConfigurationStatus
    )


def _cells(obj: PriorityLevelConfiguration, now: float) -> list[Any]:
    spec = obj.spec
    limited = spec.limited
    shares: Any = limited.nominalConcurrencyShares if limited else "<none>"
    queuing = limited.limitResponse.queuing if limited else None
    numbers: list[Any] = ["<none>"] * 3
    if queuing is not None:
        numbers = [queuing.queues, queuing.handSize, queuing.queueLengthLimit]
    return [obj.metadata.name, spec.type, shares, *numbers, age(obj, now)]


def _set_defaults(obj: PriorityLevelConfiguration) -> None:
    spec = obj.spec
    if spec.type == "Exempt":
        spec.exempt = spec.exempt or ExemptPriorityLevelConfiguration()
        if spec.exempt.nominalConcurrencyShares is None:
            spec.exempt.nominalConcurrencyShares = 0
        if spec.exempt.lendablePercent is None:
            spec.exempt.lendablePercent = 0
    limited = spec.limited
    if limited is None:
        return
    if limited.nominalConcurrencyShares is None:
        limited.nominalConcurrencyShares = _SHARES
    if limited.lendablePercent is None:
        limited.lendablePercent = 0
    if (queuing := limited.limitResponse.queuing) is not None:
        queuing.queues = queuing.queues or _QUEUES
        queuing.handSize = queuing.handSize or _HAND
        queuing.queueLengthLimit = queuing.queueLengthLimit or _LENGTH


def _prepare_create(obj: PriorityLevelConfiguration) -> None:
    obj.status = PriorityLevelConfigurationStatus()


def _validate(obj: PriorityLevelConfiguration) -> list[Cause]:
    spec = obj.spec
    found = [*checks.one_of(spec.type, TYPES, "spec.type")]
    if spec.type == "Limited" and spec.limited is None:
        found.append(faults.required("spec.limited", "must not be empty when type is Limited"))
    if spec.type == "Exempt" and spec.limited is not None:
        found.append(faults.forbidden("spec.limited", "must be nil if the type is not Limited"))
    if spec.limited is None:
        return found
    response = spec.limited.limitResponse
    path = "spec.limited.limitResponse"
    found += checks.one_of(response.type, RESPONSES, f"{path}.type")
    if response.type == "Queue" and response.queuing is None:
        found.append(faults.required(f"{path}.queuing", "must not be empty if type is Queue"))
    if response.type == "Reject" and response.queuing is not None:
        why = "must be nil if limited.limitResponse.type is not Limited"
        found.append(faults.forbidden(f"{path}.queuing", why))
    found += checks.not_negative(
        spec.limited.nominalConcurrencyShares, "spec.limited.nominalConcurrencyShares"
    )
    found += checks.between(spec.limited.lendablePercent, 0, 100, "spec.limited.lendablePercent")
    return found


PRIORITY_LEVEL_CONFIGURATION = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    namespaced=False,
    type=PriorityLevelConfiguration,
    subresources=(
        Subresource(
            name="status", verbs=("get", "patch", "update"), kind="PriorityLevelConfiguration"
        ),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Type"),
        Column("NominalConcurrencyShares", "integer"),
        Column("Queues", "integer"),
        Column("HandSize", "integer"),
        Column("QueueLengthLimit", "integer"),
        Column("Age"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=lambda new, _old: _validate(new),
    warn=lambda _obj: [NO_EFFECT],
)
