"""Namespace: a room for names, with everything that goes when it goes."""

from typing import Annotated, Any

from appliance.api import names
from appliance.api.errors import Cause
from appliance.api.kind import VERBS, Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, Time, always, nullable

NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"
"""Stands in spec until all content is gone; removed through /finalize only."""


class NamespaceSpec(Message):
    """What keeps a namespace from going away."""

    finalizers: Annotated[
        list[str], F(1, "Parties that must clear the content first.", list_type="atomic")
    ] = []


class NamespaceCondition(Message):
    """One aspect of how the removal of a namespace goes."""

    type: Annotated[str, F(1, "Which aspect.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(4, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(5, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(6, "Why, for people.")] = ""


class NamespaceStatus(Message):
    """Whether a namespace is in use or going away."""

    phase: Annotated[str, F(1, "Active or Terminating.", enum=("Active", "Terminating"))] = ""
    conditions: Annotated[
        list[NamespaceCondition],
        F(
            2,
            "What the removal waits for.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class Namespace(KubeObject):
    """A scope for names."""

    spec: Annotated[NamespaceSpec, F(2, "What keeps it.")] = always(NamespaceSpec)
    status: Annotated[NamespaceStatus, F(3, "In use or going away.")] = always(NamespaceStatus)


def _cells(obj: Namespace, now: float) -> list[Any]:
    return [obj.metadata.name, obj.status.phase, age(obj, now)]


def _label(obj: Namespace) -> None:
    if obj.metadata.name:
        obj.metadata.labels = obj.metadata.labels | {NAME_LABEL: obj.metadata.name}


def _set_defaults(obj: Namespace) -> None:
    _label(obj)
    obj.status.phase = obj.status.phase or "Active"


def _prepare_create(obj: Namespace) -> None:
    _label(obj)  # once more: by now a generated name is known
    obj.status = NamespaceStatus(phase="Active")
    _set_defaults(obj)  # a generated name was not there when defaults were set
    if FINALIZER not in obj.spec.finalizers:
        obj.spec.finalizers = [*obj.spec.finalizers, FINALIZER]


def _prepare_update(new: Namespace, old: Namespace) -> None:
    new.spec.finalizers = old.spec.finalizers
    new.status = old.status


def _prepare_finalize(new: Namespace, old: Namespace) -> None:
    new.status = old.status


def _validate(obj: Namespace) -> list[Cause]:
    return [
        fault
        for name in obj.spec.finalizers
        for fault in checks.named(names.qualified_name, name, "spec.finalizers")
    ]


def _validate_update(new: Namespace, _old: Namespace) -> list[Cause]:
    return _validate(new)


NAMESPACE = Kind(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    namespaced=False,
    type=Namespace,
    short_names=("ns",),
    verbs=tuple(v for v in VERBS if v != "deletecollection"),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="Namespace"),
        Subresource(
            name="finalize", verbs=("update",), kind="Namespace", prepare=_prepare_finalize
        ),
    ),
    columns=(Column("Name", format="name"), Column("Status"), Column("Age")),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_name=names.dns_label,
    validate=_validate,
    validate_update=_validate_update,
    selectable_fields={"status.phase": lambda obj: obj.status.phase},
    has_generation=False,
)
