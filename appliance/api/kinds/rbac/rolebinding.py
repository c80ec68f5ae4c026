"""RoleBinding: gives the rules of a role to somebody, in one namespace."""

from typing import Annotated, Any

from appliance.api import names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds.cells import age
from appliance.api.kinds.rbac import rules
from appliance.api.kinds.rbac.rules import GROUP, RoleRef, Subject
from appliance.api.meta import KubeObject
from appliance.api.schema import F, always


class BindingBase(KubeObject):
    """What both kinds of bindings have."""

    subjects: Annotated[list[Subject], F(2, "Who gets it.", list_type="atomic")] = []
    roleRef: Annotated[
        RoleRef, F(3, "The role; it cannot be changed.", required=True, map_type="atomic")
    ] = always(RoleRef)


class RoleBinding(BindingBase):
    """Grants a Role, or a ClusterRole, within its namespace."""


def set_defaults(obj: BindingBase) -> None:
    """Fill in the API groups that may be left out."""
    rules.set_binding_defaults(obj.subjects, obj.roleRef)


def _validate(obj: RoleBinding) -> list[Cause]:
    return list(rules.binding_faults(obj.subjects, obj.roleRef, namespaced=True))


def _validate_update(new: RoleBinding, old: RoleBinding) -> list[Cause]:
    return [*_validate(new), *rules.ref_faults(new.roleRef, old.roleRef)]


def cells(obj: BindingBase, now: float) -> list[Any]:
    """Show a binding in a table."""
    subjects = obj.subjects
    return [
        obj.metadata.name,
        f"{obj.roleRef.kind}/{obj.roleRef.name}",
        age(obj, now),
        rules.subject_names(subjects, rules.USER),
        rules.subject_names(subjects, rules.GROUP_KIND),
        rules.subject_names(subjects, rules.SERVICE_ACCOUNT),
    ]


COLUMNS = (
    Column("Name", format="name"),
    Column("Role"),
    Column("Age"),
    Column("Users", wide=True),
    Column("Groups", wide=True),
    Column("ServiceAccounts", wide=True),
)

ROLE_BINDING = Kind(
    group=GROUP,
    version="v1",
    kind="RoleBinding",
    plural="rolebindings",
    singular="rolebinding",
    namespaced=True,
    type=RoleBinding,
    columns=COLUMNS,
    cells=cells,
    set_defaults=set_defaults,
    validate_name=names.path_segment,
    validate=_validate,
    validate_update=_validate_update,
    create_on_update=True,
    has_generation=False,
)
