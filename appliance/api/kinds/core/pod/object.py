"""Pod and Binding as types; what holds for them stands in the files beside, `kind.py` joins all."""

from typing import Annotated

from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.pod.status import PodStatus
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, always


class Pod(KubeObject):
    """Containers that run together on one node and share network and volumes."""

    spec: Annotated[PodSpec, F(2, "What is wanted.")] = always(PodSpec)
    status: Annotated[PodStatus, F(3, "What was seen last.")] = always(PodStatus)


class Binding(KubeObject):
    """Gives a pod its node."""

    target: Annotated[ObjectReference, F(2, "The node.", required=True)] = always(ObjectReference)
