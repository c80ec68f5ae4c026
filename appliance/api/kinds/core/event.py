"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, MicroTime, Time, always, nullable


class EventSeries(Message):
    """TODO."""

    count: Annotated[Int32, F(1, "")] = 0
    lastObservedTime: Annotated[MicroTime | None, F(2, "")] = nullable()


class EventSource(Message):
    """TODO."""

    component: Annotated[str, F(1, "")] = ""
    host: Annotated[str, F(2, "")] = ""


class Event(KubeObject):
    """TODO."""

    involvedObject: Annotated[ObjectReference, F(2, "", required=True)] = always(ObjectReference)
    reason: Annotated[str, F(3, "")] = ""
    message: Annotated[str, F(4, "")] = ""
    source: Annotated[EventSource, F(5, "")] = always(EventSource)
    firstTimestamp: Annotated[Time | None, F(6, "")] = nullable()
    lastTimestamp: Annotated[Time | None, F(7, "")] = nullable()
    count: Annotated[Int32, F(8, "")] = 0
    type: Annotated[str, F(9, "")] = ""
    eventTime: Annotated[MicroTime | None, F(10, "")] = nullable()
    series: Annotated[EventSeries | None, F(11, "")] = None
    action: Annotated[str, F(12, "")] = ""
    related: Annotated[ObjectReference | None, F(13, "")] = None
    reportingComponent: Annotated[str, F(14, "")] = always(str)
    reportingInstance: Annotated[str, F(15, "")] = always(str)


EVENT = Kind(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    namespaced=True,
    type=Event,
    short_names=("ev",),
)
