"""Which names of a definition can be accepted, and what its conditions say. Pure.

Source: apiextensions-apiserver `pkg/controller/status/naming_controller.go`.
"""

from collections.abc import Iterable

from appliance.api.kinds.apiextensions.customresourcedefinition import (
    CustomResourceDefinition,
    CustomResourceDefinitionCondition,
    CustomResourceDefinitionStatus,
)
from appliance.api.kinds.apiextensions.definition_parts import CustomResourceDefinitionNames
from appliance.api.objects import condition, set_condition
from appliance.client.base import clone


def status_of(
    definition: CustomResourceDefinition,
    others: Iterable[CustomResourceDefinition],
    now: str,
) -> CustomResourceDefinitionStatus:
    """Give the status that a definition should have, beside these others."""
    status = clone(definition.status)
    conditions = status.conditions or []
    taken = _taken(definition, others)
    wanted = definition.spec.names
    status.acceptedNames, why = _accept(wanted, status.acceptedNames, taken)
    if why:
        _set(conditions, "NamesAccepted", "False", now, reason=why[0], message=why[1])
    else:
        _set(
            conditions,
            "NamesAccepted",
            "True",
            now,
            reason="NoConflicts",
            message="no conflicts found",
        )
    established = condition(conditions, "Established")
    if why and established is None:
        _set(
            conditions,
            "Established",
            "False",
            now,
            reason="NotAccepted",
            message="not all names are accepted",
        )
    elif not why and (established is None or established.status != "True"):
        _set(
            conditions,
            "Established",
            "True",
            now,
            reason="InitialNamesAccepted",
            message="the initial names have been accepted",
        )
    status.conditions = conditions
    return status


def is_established(definition: CustomResourceDefinition) -> bool:
    """Whether a definition is served."""
    found = condition(definition.status.conditions or (), "Established")
    return found is not None and found.status == "True"


def _taken(
    definition: CustomResourceDefinition, others: Iterable[CustomResourceDefinition]
) -> dict[str, set[str]]:
    """Names that others of the group have; resources and kinds are apart."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        if other.spec.group != definition.spec.group or other is definition:
            continue
        if other.metadata.name == definition.metadata.name:
            continue
        names = other.status.acceptedNames
        resources |= {names.plural, names.singular, *names.shortNames} - {""}
        kinds |= {names.kind, names.listKind} - {""}
    return {"resources": resources, "kinds": kinds}


def _accept(
    wanted: CustomResourceDefinitionNames,
    have: CustomResourceDefinitionNames,
    taken: dict[str, set[str]],
) -> tuple[CustomResourceDefinitionNames, tuple[str, str] | None]:
    """Take over the names that are free; say which the first is that is not."""
    accepted = clone(have)
    why: tuple[str, str] | None = None
    places = (
        ("plural", "Plural", "resources"),
        ("singular", "Singular", "resources"),
        ("shortNames", "ShortNames", "resources"),
        ("kind", "Kind", "kinds"),
        ("listKind", "ListKind", "kinds"),
    )
    for name, word, space in places:
        value = getattr(wanted, name)
        clash = sorted(set(value if isinstance(value, list) else [value]) & taken[space])
        if clash:
            listed = ", ".join(f'"{c}"' for c in clash)
            why = why or (f"{word}Conflict", f"{listed} is already in use")
        else:
            setattr(accepted, name, value)
    accepted.categories = list(wanted.categories)
    return accepted, why


def _set(
    conditions: list[CustomResourceDefinitionCondition],
    kind: str,
    status: str,
    now: str,
    *,
    reason: str,
    message: str,
) -> None:
    made = CustomResourceDefinitionCondition(
        type=kind, status=status, lastTransitionTime=now, reason=reason, message=message
    )
    _ = set_condition(conditions, made)
