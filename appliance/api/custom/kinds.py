"""A definition as kinds: one per served version, and the stored one where it is not served.

Called by the keeper of definitions in `control/custom`. Pure.
"""

from collections.abc import Callable
from typing import Any

from appliance.api.ages import since
from appliance.api.custom import paths, rules, validation
from appliance.api.custom.object import CustomObject, make_type
from appliance.api.custom.shapes import shape_of_object
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, ScaleNumbers, StoredAs, Subresource
from appliance.api.kinds.apiextensions.customresourcedefinition import CustomResourceDefinition
from appliance.api.kinds.apiextensions.definition_parts import (
    CustomResourceColumnDefinition,
    CustomResourceDefinitionVersion,
    CustomResourceSubresourceScale,
    SelectableField,
)

_DOOR = ("get", "patch", "update")
_PLAIN_AGE = CustomResourceColumnDefinition(
    name="Age", type="date", jsonPath=".metadata.creationTimestamp"
)


def kinds_of(definition: CustomResourceDefinition) -> list[Kind[Any]]:
    """Give the kinds that a definition adds, those that are served."""
    stored = next(v for v in definition.spec.versions if v.storage)
    base = _kind(definition, stored, None)
    return [
        base if version is stored else _kind(definition, version, base)
        for version in definition.spec.versions
        if version.served
    ]


def _kind(
    definition: CustomResourceDefinition,
    version: CustomResourceDefinitionVersion,
    base: Kind[Any] | None,
) -> Kind[Any]:
    spec, given = definition.spec, definition.status.acceptedNames
    schema = version.schema.openAPIV3Schema if version.schema else {}
    doors = version.subresources
    has_status = doors is not None and doors.status is not None
    scale = doors.scale if doors else None
    domain = ".".join(reversed(spec.group.split(".")))
    type_ = make_type(
        given.kind,
        schema,
        shape_of_object(schema),
        openapi_name=f"{domain}.{version.name}.{given.kind}",
        has_status=has_status,
    )
    view = base and StoredAs(base, to_stored=_retyped(base.type), from_stored=_retyped(type_))
    text = version.deprecationWarning or f"{spec.group}/{version.name} {given.kind} is deprecated"
    return Kind(
        group=spec.group,
        version=version.name,
        kind=given.kind,
        plural=given.plural,
        singular=given.singular,
        namespaced=spec.scope == "Namespaced",
        type=type_,
        short_names=tuple(given.shortNames),
        categories=tuple(given.categories),
        subresources=_doors(given.kind, has_status=has_status, has_scale=scale is not None),
        columns=_columns(version),
        cells=_cells(version),
        prepare_create=_prepare_create if has_status else _nothing,
        prepare_update=_prepare_update if has_status else _keep_nothing,
        prepare_status_update=_prepare_status_update,
        desired=_desired_without_status if has_status else _desired,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_update,
        selectable_fields={f.jsonPath.lstrip("."): _reader(f) for f in version.selectableFields},
        read_scale=_scale_reader(scale) if scale else None,
        write_scale=_scale_writer(scale) if scale else None,
        deprecation=text if version.deprecated else "",
        stored_as=view or None,
        storage_path=f"{spec.group}/{given.plural}",
        unconditional_update=False,
        repeats_meta_faults=False,
    )


def _retyped(type_: type[CustomObject]) -> Callable[[CustomObject], CustomObject]:
    def change(obj: CustomObject) -> CustomObject:
        made = type_(kind=obj.kind, apiVersion=obj.apiVersion, content=obj.content)
        made.metadata = obj.metadata
        return made

    return change


def _doors(kind: str, *, has_status: bool, has_scale: bool) -> tuple[Subresource, ...]:
    status = Subresource(name="status", verbs=_DOOR, kind=kind)
    scale = Subresource(name="scale", verbs=_DOOR, kind="Scale", group="autoscaling")
    return (*([status] if has_status else ()), *([scale] if has_scale else ()))


def whole(obj: CustomObject) -> dict[str, Any]:
    """Give what paths of a definition are about: content and the metadata that they may name."""
    meta = obj.metadata
    named: dict[str, Any] = {"name": meta.name, "namespace": meta.namespace}
    named |= {"labels": meta.labels}
    named |= {"annotations": meta.annotations, "generation": meta.generation}
    named |= {"creationTimestamp": meta.creationTimestamp, "uid": meta.uid}
    named["deletionTimestamp"] = meta.deletionTimestamp
    return {**obj.content, "metadata": {k: v for k, v in named.items() if v not in (None, {}, "")}}


def _columns(version: CustomResourceDefinitionVersion) -> tuple[Column, ...]:
    more = version.additionalPrinterColumns or [_PLAIN_AGE]
    first = Column("Name", format="name")
    return (
        first,
        *(
            Column(c.name, c.type, wide=c.priority > 0, format=c.format, doc=c.description)
            for c in more
        ),
    )


def _cells(
    version: CustomResourceDefinitionVersion,
) -> Callable[[CustomObject, float], list[Any]]:
    more = version.additionalPrinterColumns or [_PLAIN_AGE]

    def cells(obj: CustomObject, now: float) -> list[Any]:
        data = whole(obj)
        return [obj.metadata.name, *(_cell(column, data, now) for column in more)]

    return cells


_COLUMN_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def _cell(column: CustomResourceColumnDefinition, data: dict[str, Any], now: float) -> Any:
    value = paths.first(column.jsonPath, data)
    if value is None:
        return None
    if column.type == "date":
        try:
            return since(str(value), now)
        except ValueError:
            return "<invalid>"
    fits = _COLUMN_TYPES.get(column.type)
    if fits is not None:
        return value if type(value) in fits else None
    return value if isinstance(value, str) else validation.compact(value)


def _reader(field: SelectableField) -> Callable[[CustomObject], str]:
    def read(obj: CustomObject) -> str:
        value = paths.first(field.jsonPath, whole(obj))
        return str(value).lower() if isinstance(value, bool) else str(value or "")

    return read


def _scale_reader(scale: CustomResourceSubresourceScale) -> Callable[[CustomObject], ScaleNumbers]:
    def read(obj: CustomObject) -> ScaleNumbers:
        selector = (
            paths.first(scale.labelSelectorPath, obj.content) if scale.labelSelectorPath else ""
        )
        return ScaleNumbers(
            wanted=paths.first(scale.specReplicasPath, obj.content) or 0,
            seen=paths.first(scale.statusReplicasPath, obj.content) or 0,
            selector=selector or "",
        )

    return read


def _scale_writer(scale: CustomResourceSubresourceScale) -> Callable[[CustomObject, int], None]:
    return lambda obj, number: paths.put(scale.specReplicasPath, obj.content, number)


def _nothing(_obj: CustomObject) -> None:
    return None


def _keep_nothing(_new: CustomObject, _old: CustomObject) -> None:
    return None


def _prepare_create(obj: CustomObject) -> None:
    obj.content.pop("status", None)


def _prepare_update(new: CustomObject, old: CustomObject) -> None:
    new.content.pop("status", None)
    if "status" in old.content:
        new.content["status"] = old.content["status"]


def _prepare_status_update(new: CustomObject, old: CustomObject) -> None:
    given = {"status": new.content["status"]} if "status" in new.content else {}
    new.content = {**{k: v for k, v in old.content.items() if k != "status"}, **given}
    new.metadata = old.metadata


def _desired(obj: CustomObject) -> Any:
    return obj.content


def _desired_without_status(obj: CustomObject) -> Any:
    return {k: v for k, v in obj.content.items() if k != "status"}


def _validate(obj: CustomObject) -> list[Cause]:
    return _faults(obj, None)


def _validate_update(new: CustomObject, old: CustomObject) -> list[Cause]:
    return _faults(new, old)


def _faults(obj: CustomObject, old: CustomObject | None) -> list[Cause]:
    found, ask_rules = validation.validate(obj.SCHEMA, obj.content)
    if ask_rules and obj.RULED:
        found += rules.faults_of(
            obj.SCHEMA, _ruled(obj), _ruled(old) if old else None, places=obj.RULED
        )
    return found


def _ruled(obj: CustomObject) -> dict[str, Any]:
    """What rules may look at: of the metadata only the names."""
    meta = {"name": obj.metadata.name, "generateName": obj.metadata.generateName}
    own = {"apiVersion": obj.apiVersion, "kind": obj.kind}
    return {**obj.content, **own, "metadata": {k: v for k, v in meta.items() if v}}
