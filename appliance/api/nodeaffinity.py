"""Node selectors and node affinity, as pure functions of a pod's words and a node's labels.

The scheduler filters and scores with it; whoever places pods by itself does too.
Source: Kubernetes documentation, "Assigning Pods to Nodes".
"""

from collections.abc import Mapping

from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.affinity import NodeAffinity
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.references import NodeSelectorRequirement, NodeSelectorTerm


def allows(spec: PodSpec, node: Node) -> bool:
    """Whether nodeSelector and required node affinity let the pod onto the node."""
    if not spec.nodeSelector.items() <= node.metadata.labels.items():
        return False
    affinity = _node_affinity(spec)
    required = affinity and affinity.requiredDuringSchedulingIgnoredDuringExecution
    if not required:
        return True
    return any(term_matches(term, node) for term in required.nodeSelectorTerms)


def preference(spec: PodSpec, node: Node) -> int:
    """Sum of the weights of all preferences that the node meets."""
    affinity = _node_affinity(spec)
    if affinity is None:
        return 0
    return sum(
        wish.weight
        for wish in affinity.preferredDuringSchedulingIgnoredDuringExecution
        if term_matches(wish.preference, node)
    )


def term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    """Whether all expressions of a term hold; a term without any matches nothing."""
    if not term.matchExpressions and not term.matchFields:
        return False
    fields = {"metadata.name": node.metadata.name}
    return all(requirement_holds(r, node.metadata.labels) for r in term.matchExpressions) and all(
        requirement_holds(r, fields) for r in term.matchFields
    )


def requirement_holds(requirement: NodeSelectorRequirement, values: Mapping[str, str]) -> bool:
    """Whether one expression holds for these labels."""
    value = values.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compares(requirement, value)
        case _:
            return False


def _compares(requirement: NodeSelectorRequirement, value: str | None) -> bool:
    """Gt and Lt compare whole numbers; anything else does not match."""
    try:
        have, limit = int(value or ""), int(requirement.values[0])
    except (ValueError, IndexError):
        return False
    return have > limit if requirement.operator == "Gt" else have < limit


def _node_affinity(spec: PodSpec) -> NodeAffinity | None:
    return spec.affinity.nodeAffinity if spec.affinity else None
