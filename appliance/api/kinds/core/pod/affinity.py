"""Where a pod must, may and would like to run."""

from typing import Annotated

from appliance.api.kinds.core.references import NodeSelector, NodeSelectorTerm
from appliance.api.meta import LabelSelector
from appliance.api.schema import F, Int32, Int64, Message, always


class PreferredSchedulingTerm(Message):
    """Nodes that are liked, and how much."""

    weight: Annotated[Int32, F(1, "How much, from 1 to 100.", required=True)] = always(int)
    preference: Annotated[NodeSelectorTerm, F(2, "Which nodes.", required=True)] = always(
        NodeSelectorTerm
    )


class NodeAffinity(Message):
    """Nodes that a pod must or would like to run on."""

    requiredDuringSchedulingIgnoredDuringExecution: Annotated[
        NodeSelector | None, F(1, "Nodes that it must run on.")
    ] = None
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[PreferredSchedulingTerm],
        F(2, "Nodes that it would like to run on.", list_type="atomic"),
    ] = []


class PodAffinityTerm(Message):
    """Pods that a pod wants to be near to, or away from."""

    labelSelector: Annotated[LabelSelector | None, F(1, "Labels of those pods.")] = None
    namespaces: Annotated[
        list[str], F(2, "Namespaces of those pods; its own unless said.", list_type="atomic")
    ] = []
    topologyKey: Annotated[
        str, F(3, "Node label: nodes with the same value count as one place.", required=True)
    ] = always(str)
    namespaceSelector: Annotated[
        LabelSelector | None, F(4, "Labels of the namespaces of those pods.")
    ] = None
    matchLabelKeys: Annotated[
        list[str], F(5, "Labels whose values must be those of the pod itself.", list_type="atomic")
    ] = []
    mismatchLabelKeys: Annotated[
        list[str],
        F(6, "Labels whose values must not be those of the pod itself.", list_type="atomic"),
    ] = []


class WeightedPodAffinityTerm(Message):
    """Pods to be near to, or away from, and how much."""

    weight: Annotated[Int32, F(1, "How much, from 1 to 100.", required=True)] = always(int)
    podAffinityTerm: Annotated[PodAffinityTerm, F(2, "Which pods.", required=True)] = always(
        PodAffinityTerm
    )


class PodAffinity(Message):
    """Pods that a pod wants to be near to."""

    requiredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[PodAffinityTerm], F(1, "Pods that it must be near to.", list_type="atomic")
    ] = []
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[WeightedPodAffinityTerm],
        F(2, "Pods that it would like to be near to.", list_type="atomic"),
    ] = []


class PodAntiAffinity(Message):
    """Pods that a pod wants to be away from."""

    requiredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[PodAffinityTerm], F(1, "Pods that it must be away from.", list_type="atomic")
    ] = []
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[
        list[WeightedPodAffinityTerm],
        F(2, "Pods that it would like to be away from.", list_type="atomic"),
    ] = []


class Affinity(Message):
    """Where a pod must or would like to run."""

    nodeAffinity: Annotated[NodeAffinity | None, F(1, "By the labels of nodes.")] = None
    podAffinity: Annotated[PodAffinity | None, F(2, "Near to other pods.")] = None
    podAntiAffinity: Annotated[PodAntiAffinity | None, F(3, "Away from other pods.")] = None


class Toleration(Message):
    """Lets a pod run in spite of a taint."""

    key: Annotated[str, F(1, "Key of the taint; empty with Exists matches every taint.")] = ""
    operator: Annotated[str, F(2, "Equal, or Exists for any value.", enum=("Equal", "Exists"))] = ""
    value: Annotated[str, F(3, "Value of the taint, for Equal.")] = ""
    effect: Annotated[
        str,
        F(
            4,
            "Effect of the taint; empty matches all.",
            enum=("NoExecute", "NoSchedule", "PreferNoSchedule"),
        ),
    ] = ""
    tolerationSeconds: Annotated[
        Int64 | None, F(5, "How long the pod may stay under NoExecute; for ever unless said.")
    ] = None


class TopologySpreadConstraint(Message):
    """How evenly pods are to be spread."""

    maxSkew: Annotated[
        Int32, F(1, "How many more pods one place may have than the emptiest.", required=True)
    ] = always(int)
    topologyKey: Annotated[
        str, F(2, "Node label: nodes with the same value count as one place.", required=True)
    ] = always(str)
    whenUnsatisfiable: Annotated[
        str,
        F(
            3,
            "DoNotSchedule, or ScheduleAnyway where it is a wish.",
            enum=("DoNotSchedule", "ScheduleAnyway"),
            required=True,
        ),
    ] = always(str)
    labelSelector: Annotated[LabelSelector | None, F(4, "Labels of the pods that are counted.")] = (
        None
    )
    minDomains: Annotated[Int32 | None, F(5, "How many places there must be.")] = None
    nodeAffinityPolicy: Annotated[
        str | None,
        F(
            6,
            "Honor: count only nodes that the pod may run on; or Ignore.",
            enum=("Honor", "Ignore"),
        ),
    ] = None
    nodeTaintsPolicy: Annotated[
        str | None,
        F(
            7,
            "Honor: count only nodes whose taints it tolerates; or Ignore.",
            enum=("Honor", "Ignore"),
        ),
    ] = None
    matchLabelKeys: Annotated[
        list[str], F(8, "Labels whose values must be those of the pod itself.", list_type="atomic")
    ] = []
