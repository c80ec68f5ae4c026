"""How many replicas an object wants and has, whatever its kind. Pure.

Read by the scale sub-resource and by the autoscaler. Source: kubernetes `autoscaling/v1` Scale.
"""

from typing import Any

from appliance.api import labels
from appliance.api.kind import Kind, ScaleNumbers
from appliance.api.meta import LabelSelector


def numbers_of(kind: Kind[Any], obj: Any) -> ScaleNumbers:
    """Read an object by its kind's own paths, or by those that built-in kinds have."""
    if kind.read_scale:
        return kind.read_scale(obj)
    return ScaleNumbers(obj.spec.replicas or 0, obj.status.replicas, _selector(obj))


def _selector(obj: Any) -> str:
    selector = obj.spec.selector
    if isinstance(selector, LabelSelector):
        return str(labels.from_label_selector(selector))
    return str(labels.from_map(selector or {}))
