"""PodTemplate: something that pods can be made from, kept for later."""

from typing import Annotated, Any

from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import workloads
from appliance.api.kinds.cells import pairs
from appliance.api.kinds.core.pod.defaults import set_spec_defaults
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.kinds.core.pod.validate import template as check_template
from appliance.api.meta import KubeObject
from appliance.api.schema import F, always


class PodTemplate(KubeObject):
    """Something that pods can be made from, kept for later."""

    template: Annotated[PodTemplateSpec, F(2, "What pods would be made from.")] = always(
        PodTemplateSpec
    )


def _cells(obj: PodTemplate, _now: float) -> list[Any]:
    return [
        obj.metadata.name,
        *workloads.containers_and_images(obj.template),
        pairs(obj.template.metadata.labels),
    ]


def _set_defaults(obj: PodTemplate) -> None:
    set_spec_defaults(obj.template.spec)


def _validate(obj: PodTemplate) -> list[Cause]:
    return list(check_template(obj.template, "template"))


def _validate_update(new: PodTemplate, _old: PodTemplate) -> list[Cause]:
    return _validate(new)


def _desired(obj: PodTemplate) -> Any:
    return obj.template


def _warn(obj: PodTemplate) -> list[str]:
    return list(workloads.warn_template(obj.template, "template"))


POD_TEMPLATE = Kind(
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    singular="podtemplate",
    namespaced=True,
    type=PodTemplate,
    columns=(
        Column("Name", format="name"),
        Column("Containers"),
        Column("Images"),
        Column("Pod Labels"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
    warn=_warn,
    desired=_desired,
)
