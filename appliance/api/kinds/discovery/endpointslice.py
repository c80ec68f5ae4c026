"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind
from appliance.api.kinds.core.endpoints import EndpointPort
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, always, nullable


class EndpointConditions(Message):
    """TODO."""

    ready: Annotated[bool | None, F(1, "")] = None
    serving: Annotated[bool | None, F(2, "")] = None
    terminating: Annotated[bool | None, F(3, "")] = None


class ForNode(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)


class ForZone(Message):
    """TODO."""

    name: Annotated[str, F(1, "", required=True)] = always(str)


class EndpointHints(Message):
    """TODO."""

    forZones: Annotated[list[ForZone], F(1, "", list_type="atomic")] = []
    forNodes: Annotated[list[ForNode], F(2, "", list_type="atomic")] = []


class Endpoint(Message):
    """TODO."""

    addresses: Annotated[list[str], F(1, "", required=True, list_type="set")] = always(list)
    conditions: Annotated[EndpointConditions, F(2, "")] = always(EndpointConditions)
    hostname: Annotated[str | None, F(3, "")] = None
    targetRef: Annotated[ObjectReference | None, F(4, "")] = None
    deprecatedTopology: Annotated[dict[str, str], F(5, "")] = {}
    nodeName: Annotated[str | None, F(6, "")] = None
    zone: Annotated[str | None, F(7, "")] = None
    hints: Annotated[EndpointHints | None, F(8, "")] = None


class EndpointSlice(KubeObject):
    """TODO."""

    addressType: Annotated[str, F(4, "", required=True)] = always(str)
    endpoints: Annotated[list[Endpoint] | None, F(2, "", list_type="atomic")] = nullable()
    ports: Annotated[list[EndpointPort] | None, F(3, "", list_type="atomic")] = nullable()


ENDPOINT_SLICE = Kind(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    namespaced=True,
    type=EndpointSlice,
)
