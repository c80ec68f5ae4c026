"""HorizontalPodAutoscaler, version v2: sets the number of pods by what they use.

This is the version that is stored; v1 is another view of it.
"""

from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds.autoscaling import hpa_rules as rules
from appliance.api.kinds.autoscaling.hpa_spec_v2 import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerStatus,
)


def _prepare_create(obj: HorizontalPodAutoscaler) -> None:
    obj.status = HorizontalPodAutoscalerStatus()


COLUMNS = (
    Column("Name", format="name"),
    Column("Reference"),
    Column("Targets"),
    Column("MinPods"),
    Column("MaxPods"),
    Column("Replicas"),
    Column("Age"),
)
HORIZONTAL_POD_AUTOSCALER_V2 = Kind(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    namespaced=True,
    type=HorizontalPodAutoscaler,
    short_names=("hpa",),
    categories=("all",),
    subresources=(
        Subresource(
            name="status",
            verbs=("get", "patch", "update"),
            kind="HorizontalPodAutoscaler",
        ),
    ),
    columns=COLUMNS,
    cells=rules.cells,
    set_defaults=rules.set_defaults,
    prepare_create=_prepare_create,
    validate=rules.validate,
    validate_update=rules.validate_update,
    validate_status=rules.validate_status,
    has_generation=False,
)
