"""The authorizers of a cluster, in order; which of them allow something is seen in one place."""

from appliance.control.access.attributes import Authorizer, Authorizers, Masters
from appliance.control.access.noderefs import PodReferences
from appliance.control.access.nodes import NodeAuthorizer
from appliance.control.access.rbac.authorizer import Rbac
from appliance.control.registry.base import Lookup


def default_authorizer(lookup: Lookup) -> Authorizer:
    """Administrators, nodes, then roles; the order is upstream's."""
    return Authorizers([Masters(), NodeAuthorizer(PodReferences(lookup)), Rbac(lookup)])
