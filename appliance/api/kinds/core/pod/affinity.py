"""TODO."""

from typing import Annotated

from appliance.api.kinds.core.references import NodeSelector, NodeSelectorTerm
from appliance.api.meta import LabelSelector
from appliance.api.schema import F, Int32, Int64, Message, always


class PreferredSchedulingTerm(Message):
    """TODO."""

    weight: Annotated[Int32, F(1, "", required=True)] = always(int)
    preference: Annotated[NodeSelectorTerm, F(2, "", required=True)] = always(NodeSelectorTerm)


class NodeAffinity(Message):
    """TODO."""

    requiredDuringSchedulingIgnoredDuringExecution: Annotated[NodeSelector | None, F(1, "")] = None
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[PreferredSchedulingTerm], F(2, "", list_type="atomic")
    ] = []


class PodAffinityTerm(Message):
    """TODO."""

    labelSelector: Annotated[LabelSelector | None, F(1, "")] = None
    namespaces: Annotated[list[str], F(2, "", list_type="atomic")] = []
    topologyKey: Annotated[str, F(3, "", required=True)] = always(str)
    namespaceSelector: Annotated[LabelSelector | None, F(4, "")] = None
    matchLabelKeys: Annotated[list[str], F(5, "", list_type="atomic")] = []
    mismatchLabelKeys: Annotated[list[str], F(6, "", list_type="atomic")] = []


class WeightedPodAffinityTerm(Message):
    """TODO."""

    weight: Annotated[Int32, F(1, "", required=True)] = always(int)
    podAffinityTerm: Annotated[PodAffinityTerm, F(2, "", required=True)] = always(PodAffinityTerm)


class PodAffinity(Message):
    """TODO."""

    requiredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[PodAffinityTerm], F(1, "", list_type="atomic")
    ] = []
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[WeightedPodAffinityTerm], F(2, "", list_type="atomic")
    ] = []


class PodAntiAffinity(Message):
    """TODO."""

    requiredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[PodAffinityTerm], F(1, "", list_type="atomic")
    ] = []
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[WeightedPodAffinityTerm], F(2, "", list_type="atomic")
    ] = []


class Affinity(Message):
    """TODO."""

    nodeAffinity: Annotated[NodeAffinity | None, F(1, "")] = None
    podAffinity: Annotated[PodAffinity | None, F(2, "")] = None
    podAntiAffinity: Annotated[PodAntiAffinity | None, F(3, "")] = None


class Toleration(Message):
    """TODO."""

    key: Annotated[str, F(1, "")] = ""
    operator: Annotated[str, F(2, "")] = ""
    value: Annotated[str, F(3, "")] = ""
    effect: Annotated[str, F(4, "")] = ""
    tolerationSeconds: Annotated[Int64 | None, F(5, "")] = None


class TopologySpreadConstraint(Message):
    """TODO."""

    maxSkew: Annotated[Int32, F(1, "", required=True)] = always(int)
    topologyKey: Annotated[str, F(2, "", required=True)] = always(str)
    whenUnsatisfiable: Annotated[str, F(3, "", required=True)] = always(str)
    labelSelector: Annotated[LabelSelector | None, F(4, "")] = None
    minDomains: Annotated[Int32 | None, F(5, "")] = None
    nodeAffinityPolicy: Annotated[str | None, F(6, "")] = None
    nodeTaintsPolicy: Annotated[str | None, F(7, "")] = None
    matchLabelKeys: Annotated[list[str], F(8, "", list_type="atomic")] = []
