"""TODO."""

from typing import Annotated

from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, always


class ScaleSpec(Message):
    """TODO."""

    replicas: Annotated[Int32, F(1, "")] = 0


class ScaleStatus(Message):
    """TODO."""

    replicas: Annotated[Int32, F(1, "", required=True)] = always(int)
    selector: Annotated[str, F(2, "")] = ""


class Scale(KubeObject):
    """TODO."""

    spec: Annotated[ScaleSpec, F(2, "")] = always(ScaleSpec)
    status: Annotated[ScaleStatus, F(3, "")] = always(ScaleStatus)
