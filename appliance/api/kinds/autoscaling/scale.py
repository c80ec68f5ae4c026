"""Scale: how many pods something has, seen in the same way for every kind."""

from typing import Annotated

from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, always


class ScaleSpec(Message):
    """How many there shall be."""

    replicas: Annotated[Int32, F(1, "How many.")] = 0


class ScaleStatus(Message):
    """How many there are."""

    replicas: Annotated[Int32, F(1, "How many were seen last.", required=True)] = always(int)
    selector: Annotated[str, F(2, "Labels of the pods, as a selector string.")] = ""


class Scale(KubeObject):
    """How many pods something has, seen in the same way for every kind."""

    spec: Annotated[ScaleSpec, F(2, "How many there shall be.")] = always(ScaleSpec)
    status: Annotated[ScaleStatus, F(3, "How many there are.")] = always(ScaleStatus)
