"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, always


class EndpointAddress(Message):
    """TODO."""

    ip: Annotated[str, F(1, "", required=True)] = always(str)
    hostname: Annotated[str, F(3, "")] = ""
    nodeName: Annotated[str | None, F(4, "")] = None
    targetRef: Annotated[ObjectReference | None, F(2, "")] = None


class EndpointPort(Message):
    """TODO."""

    name: Annotated[str | None, F(1, "")] = None
    protocol: Annotated[str | None, F(2, "")] = None
    port: Annotated[Int32 | None, F(3, "")] = None
    appProtocol: Annotated[str | None, F(4, "")] = None


class EndpointSubset(Message):
    """TODO."""

    addresses: Annotated[list[EndpointAddress], F(1, "", list_type="atomic")] = []
    notReadyAddresses: Annotated[list[EndpointAddress], F(2, "", list_type="atomic")] = []
    ports: Annotated[list[EndpointPort], F(3, "", list_type="atomic")] = []


class Endpoints(KubeObject):
    """TODO."""

    subsets: Annotated[list[EndpointSubset], F(2, "", list_type="atomic")] = []


ENDPOINTS = Kind(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    singular="endpoints",
    namespaced=True,
    type=Endpoints,
    short_names=("ep",),
    storage_path="services/endpoints",
)
