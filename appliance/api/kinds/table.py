"""The table of kinds: routes, discovery, OpenAPI and clients are made from it.

Adding a kind is adding its file and one line here.
"""

from typing import Any

from appliance.api.kind import Kind
from appliance.api.kinds.apps.controllerrevision import CONTROLLER_REVISION
from appliance.api.kinds.apps.daemonset import DAEMON_SET
from appliance.api.kinds.apps.deployment import DEPLOYMENT
from appliance.api.kinds.apps.replicaset import REPLICA_SET
from appliance.api.kinds.apps.statefulset import STATEFUL_SET
from appliance.api.kinds.batch.cronjob import CRON_JOB
from appliance.api.kinds.batch.job import JOB
from appliance.api.kinds.coordination.lease import LEASE
from appliance.api.kinds.core.configmap import CONFIG_MAP
from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.persistentvolumeclaim import PERSISTENT_VOLUME_CLAIM
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.podtemplate import POD_TEMPLATE
from appliance.api.kinds.core.replicationcontroller import REPLICATION_CONTROLLER
from appliance.api.kinds.core.secret import SECRET
from appliance.api.kinds.core.service import SERVICE
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING
from appliance.api.kinds.rbac.role import ROLE
from appliance.api.kinds.rbac.rolebinding import ROLE_BINDING

KINDS: tuple[Kind[Any], ...] = (
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_TEMPLATE,
    REPLICATION_CONTROLLER,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    CRON_JOB,
    JOB,
    LEASE,
    ENDPOINT_SLICE,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
)

_BY_RESOURCE = {(k.group, k.version, k.plural): k for k in KINDS}
_BY_KIND = {(k.api_version, k.kind): k for k in KINDS}


def by_resource(group: str, version: str, plural: str) -> Kind[Any] | None:
    """Find the kind behind a URL's group, version and plural."""
    return _BY_RESOURCE.get((group, version, plural))


def by_kind(api_version: str, kind: str) -> Kind[Any] | None:
    """Find the kind that an object names itself as."""
    return _BY_KIND.get((api_version, kind))
