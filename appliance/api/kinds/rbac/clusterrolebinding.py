"""ClusterRoleBinding: gives the rules of a cluster role to somebody, everywhere."""

from appliance.api import names
from appliance.api.errors import Cause
from appliance.api.kind import Kind
from appliance.api.kinds.rbac import rules
from appliance.api.kinds.rbac.rolebinding import COLUMNS, BindingBase, cells, set_defaults
from appliance.api.kinds.rbac.rules import GROUP


class ClusterRoleBinding(BindingBase):
    """Grants a ClusterRole in the whole cluster."""


def _validate(obj: ClusterRoleBinding) -> list[Cause]:
    return list(rules.binding_faults(obj.subjects, obj.roleRef, namespaced=False))


def _validate_update(new: ClusterRoleBinding, old: ClusterRoleBinding) -> list[Cause]:
    return [*_validate(new), *rules.ref_faults(new.roleRef, old.roleRef)]


CLUSTER_ROLE_BINDING = Kind(
    group=GROUP,
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    namespaced=False,
    type=ClusterRoleBinding,
    columns=COLUMNS,
    cells=cells,
    set_defaults=set_defaults,
    validate_name=names.path_segment,
    validate=_validate,
    validate_update=_validate_update,
    create_on_update=True,
    has_generation=False,
)
