"""Event, group events.k8s.io: another view of the events of the core group."""

from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Kind, StoredAs
from appliance.api.kinds import checks
from appliance.api.kinds.core import event as core
from appliance.api.kinds.core.event import EventSource
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, MicroTime, Time, always, nullable


class EventSeries(Message):
    """The same event again and again."""

    count: Annotated[Int32, F(1, "How often so far.", required=True)] = always(int)
    lastObservedTime: Annotated[MicroTime | None, F(2, "When last.", required=True)] = nullable()


class Event(KubeObject):
    """Something that happened to an object."""

    eventTime: Annotated[MicroTime | None, F(2, "When it happened first.", required=True)] = (
        nullable()
    )
    series: Annotated[EventSeries | None, F(3, "Set if it happens again and again.")] = None
    reportingController: Annotated[str, F(4, "Who tells it, such as example.com/controller.")] = ""
    reportingInstance: Annotated[str, F(5, "Which instance of it.")] = ""
    action: Annotated[str, F(6, "What was done.")] = ""
    reason: Annotated[str, F(7, "Why, as one CamelCase word.")] = ""
    regarding: Annotated[ObjectReference, F(8, "The object that it is about.")] = always(
        ObjectReference
    )
    related: Annotated[ObjectReference | None, F(9, "Another object that has to do with it.")] = (
        None
    )
    note: Annotated[str, F(10, "What happened, for people.")] = ""
    type: Annotated[str, F(11, "Normal or Warning.")] = ""
    deprecatedSource: Annotated[EventSource, F(12, "Who tells it, in the older form.")] = always(
        EventSource
    )
    deprecatedFirstTimestamp: Annotated[
        Time | None, F(13, "When it happened first, in the older form.")
    ] = nullable()
    deprecatedLastTimestamp: Annotated[
        Time | None, F(14, "When it happened last, in the older form.")
    ] = nullable()
    deprecatedCount: Annotated[Int32, F(15, "How often so far, in the older form.")] = 0


NOTE_MAX = 1024
INSTANCE_MAX = 128
_UNSET = "needs to be unset"


def to_core(obj: Event) -> core.Event:
    """Turn it into what is stored."""
    series = None
    if obj.series:
        again = obj.series
        series = core.EventSeries(count=again.count, lastObservedTime=again.lastObservedTime)
    made = core.Event(
        kind=obj.kind,
        apiVersion="v1",
        involvedObject=obj.regarding,
        reason=obj.reason,
        message=obj.note,
        source=obj.deprecatedSource,
        firstTimestamp=obj.deprecatedFirstTimestamp,
        lastTimestamp=obj.deprecatedLastTimestamp,
        count=obj.deprecatedCount,
        type=obj.type,
        eventTime=obj.eventTime,
        series=series,
        action=obj.action,
        related=obj.related,
        reportingComponent=obj.reportingController,
        reportingInstance=obj.reportingInstance,
    )
    made.metadata = obj.metadata
    return made


def from_core(obj: core.Event) -> Event:
    """Turn what is stored into this view."""
    series = None
    if obj.series:
        again = obj.series
        series = EventSeries(count=again.count, lastObservedTime=again.lastObservedTime)
    made = Event(
        kind=obj.kind,
        apiVersion="events.k8s.io/v1",
        eventTime=obj.eventTime,
        series=series,
        reportingController=obj.reportingComponent,
        reportingInstance=obj.reportingInstance,
        action=obj.action,
        reason=obj.reason,
        regarding=obj.involvedObject,
        related=obj.related,
        note=obj.message,
        type=obj.type,
        deprecatedSource=obj.source,
        deprecatedFirstTimestamp=obj.firstTimestamp,
        deprecatedLastTimestamp=obj.lastTimestamp,
        deprecatedCount=obj.count,
    )
    made.metadata = obj.metadata
    return made


def _cells(obj: Event, now: float) -> list[Any]:
    return core.cells(to_core(obj), now)


def _validate(obj: Event) -> list[Cause]:
    found = core.EVENT.validate(to_core(obj))
    if obj.eventTime is None:
        found.append(faults.required("eventTime"))
    else:
        found += _reporter(obj)
    if obj.type not in {"Normal", "Warning"}:
        found.append(faults.wrong("type", obj.type, f"has invalid value: {obj.type}"))
    if len(obj.note.encode()) > NOTE_MAX:
        found.append(faults.wrong("message", "", f"can have at most {NOTE_MAX} characters"))
    if obj.deprecatedFirstTimestamp is not None:
        found.append(faults.wrong("firstTimestamp", "", _UNSET))
    if obj.deprecatedLastTimestamp is not None:
        found.append(faults.wrong("lastTimestamp", "", _UNSET))
    if obj.deprecatedCount:
        found.append(faults.wrong("count", "", _UNSET))
    if obj.deprecatedSource.component or obj.deprecatedSource.host:
        found.append(faults.wrong("source", "", _UNSET))
    return found


def _reporter(obj: Event) -> Iterator[Cause]:
    if not obj.reportingController:
        yield faults.required("reportingController")
    yield from checks.named(names.qualified_name, obj.reportingController, "reportingController")
    yield from checks.required(obj.reportingInstance, "reportingInstance")
    if len(obj.reportingInstance) > INSTANCE_MAX:
        why = f"can have at most {INSTANCE_MAX} characters"
        yield faults.wrong("reportingInstance", "", why)
    yield from checks.required(obj.action, "action")
    yield from checks.required(obj.reason, "reason")


def _validate_update(new: Event, _old: Event) -> list[Cause]:
    return core.EVENT.validate(to_core(new))


EVENT_V1 = Kind(
    group="events.k8s.io",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    namespaced=True,
    type=Event,
    short_names=("ev",),
    columns=core.EVENT.columns,
    cells=_cells,
    validate=_validate,
    validate_update=_validate_update,
    selectable_fields={
        "reason": lambda obj: obj.reason,
        "regarding.kind": lambda obj: obj.regarding.kind,
        "regarding.namespace": lambda obj: obj.regarding.namespace,
        "regarding.name": lambda obj: obj.regarding.name,
        "regarding.uid": lambda obj: obj.regarding.uid,
        "regarding.apiVersion": lambda obj: obj.regarding.apiVersion,
        "regarding.resourceVersion": lambda obj: obj.regarding.resourceVersion,
        "regarding.fieldPath": lambda obj: obj.regarding.fieldPath,
        "reportingController": lambda obj: obj.reportingController,
        "type": lambda obj: obj.type,
    },
    create_on_update=True,
    has_generation=False,
    stored_as=StoredAs(core.EVENT, to_stored=to_core, from_stored=from_core),
)
