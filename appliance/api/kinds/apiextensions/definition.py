"""The kind CustomResourceDefinition."""

from typing import Any

from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds.apiextensions import definition_rules as rules
from appliance.api.kinds.apiextensions.customresourcedefinition import CustomResourceDefinition

__all__ = ["CUSTOM_RESOURCE_DEFINITION", "CustomResourceDefinition"]


def _cells(obj: CustomResourceDefinition, _now: float) -> list[Any]:
    return [obj.metadata.name, obj.metadata.creationTimestamp]


CUSTOM_RESOURCE_DEFINITION = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    singular="customresourcedefinition",
    namespaced=False,
    type=CustomResourceDefinition,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    storage_path="apiextensions.k8s.io/customresourcedefinitions",
    subresources=(
        Subresource(
            name="status", verbs=("get", "patch", "update"), kind="CustomResourceDefinition"
        ),
    ),
    columns=(Column("Name", format="name"), Column("Created At", "date")),
    cells=_cells,
    set_defaults=rules.set_defaults,
    prepare_create=rules.prepare_create,
    prepare_update=rules.prepare_update,
    validate=rules.validate,
    validate_update=rules.validate_update,
    unconditional_update=False,
)
