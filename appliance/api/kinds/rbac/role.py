"""Role: what may be done in one namespace."""

from typing import Annotated, Any

from appliance.api import names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds.rbac.rules import GROUP, PolicyRule, rule_faults
from appliance.api.meta import KubeObject
from appliance.api.schema import F, nullable


class Role(KubeObject):
    """Rules that a RoleBinding of the same namespace can grant."""

    rules: Annotated[
        list[PolicyRule] | None, F(2, "What is allowed.", required=True, list_type="atomic")
    ] = nullable()


def _validate(obj: Role) -> list[Cause]:
    return list(rule_faults(obj.rules, namespaced=True))


def _validate_update(new: Role, _old: Role) -> list[Cause]:
    return _validate(new)


def cells(obj: KubeObject, _now: float) -> list[Any]:
    """Show a role in a table."""
    return [obj.metadata.name, obj.metadata.creationTimestamp]


COLUMNS = (Column("Name", format="name"), Column("Created At", "date"))

ROLE = Kind(
    group=GROUP,
    version="v1",
    kind="Role",
    plural="roles",
    singular="role",
    namespaced=True,
    type=Role,
    columns=COLUMNS,
    cells=cells,
    validate_name=names.path_segment,
    validate=_validate,
    validate_update=_validate_update,
    create_on_update=True,
    has_generation=False,
)
