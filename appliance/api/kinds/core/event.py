"""Event: one line of the cluster's diary, about one object; kept for an hour or so."""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.ages import since
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, MicroTime, Time, always, nullable


class EventSeries(Message):
    """How often an event came again."""

    count: Annotated[Int32, F(1, "How often so far.")] = 0
    lastObservedTime: Annotated[MicroTime | None, F(2, "When it was seen last.")] = nullable()


class EventSource(Message):
    """Who reports, in the old form."""

    component: Annotated[str, F(1, "Component that reports.")] = ""
    host: Annotated[str, F(2, "Node that it reports from.")] = ""


class Event(KubeObject):
    """Something that happened to an object. For people: do not build logic on it."""

    involvedObject: Annotated[
        ObjectReference, F(2, "Object that the event is about.", required=True)
    ] = always(ObjectReference)
    reason: Annotated[str, F(3, "Why it happened, as one CamelCase word.")] = ""
    message: Annotated[str, F(4, "What happened, for people.")] = ""
    source: Annotated[EventSource, F(5, "Who reports; old form of reportingComponent.")] = always(
        EventSource
    )
    firstTimestamp: Annotated[Time | None, F(6, "When it was seen first.")] = nullable()
    lastTimestamp: Annotated[Time | None, F(7, "When it was seen last.")] = nullable()
    count: Annotated[Int32, F(8, "How often it was seen.")] = 0
    type: Annotated[str, F(9, "Normal or Warning.")] = ""
    eventTime: Annotated[MicroTime | None, F(10, "When it was seen first; new form.")] = nullable()
    series: Annotated[EventSeries | None, F(11, "How often it came again; new form.")] = None
    action: Annotated[str, F(12, "What was done or not done.")] = ""
    related: Annotated[ObjectReference | None, F(13, "A second object that has to do with it.")] = (
        None
    )
    reportingComponent: Annotated[str, F(14, "Name of the controller that reports.")] = always(str)
    reportingInstance: Annotated[str, F(15, "Which instance of that controller.")] = always(str)


def _source(obj: Event) -> str:
    names = (
        obj.source.component or obj.reportingComponent,
        obj.source.host or obj.reportingInstance,
    )
    return ", ".join(names) if names[1] else names[0]


def cells(obj: Event, now: float) -> list[Any]:
    """Give the row of `kubectl get events`."""
    first = since(obj.firstTimestamp or obj.eventTime, now)
    last, count = since(obj.lastTimestamp, now) if obj.lastTimestamp else first, obj.count or 1
    if obj.series:
        last, count = since(obj.series.lastObservedTime, now), obj.series.count
    about = obj.involvedObject
    return [
        last,
        obj.type,
        obj.reason,
        f"{about.kind.lower()}/{about.name}" if about.name else about.kind.lower(),
        about.fieldPath,
        _source(obj),
        obj.message.strip(),
        first,
        count,
        obj.metadata.name,
    ]


def _validate(obj: Event) -> list[Cause]:
    about, home = obj.involvedObject.namespace, obj.metadata.namespace
    # Events about things outside of namespaces live in the default one.
    if about == home or (not about and home == "default"):
        return []
    why = "does not match event.namespace"
    return [faults.wrong("involvedObject.namespace", about, why)]


def _validate_update(new: Event, _old: Event) -> list[Cause]:
    return _validate(new)


EVENT = Kind(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    namespaced=True,
    type=Event,
    short_names=("ev",),
    columns=(
        Column("Last Seen"),
        Column("Type"),
        Column("Reason"),
        Column("Object"),
        Column("Subobject", wide=True),
        Column("Source", wide=True),
        Column("Message"),
        Column("First Seen", wide=True),
        Column("Count", wide=True),
        Column("Name", format="name", wide=True),
    ),
    cells=cells,
    validate=_validate,
    validate_update=_validate_update,
    selectable_fields={
        "involvedObject.kind": lambda obj: obj.involvedObject.kind,
        "involvedObject.namespace": lambda obj: obj.involvedObject.namespace,
        "involvedObject.name": lambda obj: obj.involvedObject.name,
        "involvedObject.uid": lambda obj: obj.involvedObject.uid,
        "involvedObject.apiVersion": lambda obj: obj.involvedObject.apiVersion,
        "involvedObject.resourceVersion": lambda obj: obj.involvedObject.resourceVersion,
        "involvedObject.fieldPath": lambda obj: obj.involvedObject.fieldPath,
        "reason": lambda obj: obj.reason,
        "reportingComponent": lambda obj: obj.reportingComponent,
        "source": lambda obj: obj.source.component or obj.reportingComponent,
        "type": lambda obj: obj.type,
    },
    create_on_update=True,
    has_generation=False,
)
