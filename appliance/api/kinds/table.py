"""The table of kinds: routes, discovery, OpenAPI and clients are made from it.

Adding a kind is adding its file and one line here.
"""

from typing import Any

from appliance.api.kind import Kind
from appliance.api.kinds.admissionregistration.mutatingwebhookconfiguration import (
    MUTATING_WEBHOOK_CONFIGURATION,
)
from appliance.api.kinds.admissionregistration.policies import (
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from appliance.api.kinds.admissionregistration.validatingwebhookconfiguration import (
    VALIDATING_WEBHOOK_CONFIGURATION,
)
from appliance.api.kinds.apiextensions.definition import CUSTOM_RESOURCE_DEFINITION
from appliance.api.kinds.apiregistration.apiservice import API_SERVICE
from appliance.api.kinds.apps.controllerrevision import CONTROLLER_REVISION
from appliance.api.kinds.apps.daemonset import DAEMON_SET
from appliance.api.kinds.apps.deployment import DEPLOYMENT
from appliance.api.kinds.apps.replicaset import REPLICA_SET
from appliance.api.kinds.apps.statefulset import STATEFUL_SET
from appliance.api.kinds.autoscaling.horizontalpodautoscaler import HORIZONTAL_POD_AUTOSCALER
from appliance.api.kinds.autoscaling.horizontalpodautoscaler_v2 import HORIZONTAL_POD_AUTOSCALER_V2
from appliance.api.kinds.batch.cronjob import CRON_JOB
from appliance.api.kinds.batch.job import JOB
from appliance.api.kinds.certificates.signingrequest import CERTIFICATE_SIGNING_REQUEST
from appliance.api.kinds.coordination.lease import LEASE
from appliance.api.kinds.core.componentstatus import COMPONENT_STATUS
from appliance.api.kinds.core.configmap import CONFIG_MAP
from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.limitrange import LIMIT_RANGE
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME
from appliance.api.kinds.core.persistentvolumeclaim import PERSISTENT_VOLUME_CLAIM
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.podtemplate import POD_TEMPLATE
from appliance.api.kinds.core.replicationcontroller import REPLICATION_CONTROLLER
from appliance.api.kinds.core.resourcequota import RESOURCE_QUOTA
from appliance.api.kinds.core.secret import SECRET
from appliance.api.kinds.core.service import SERVICE
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE
from appliance.api.kinds.events.event import EVENT_V1
from appliance.api.kinds.flowcontrol.flowschema import FLOW_SCHEMA
from appliance.api.kinds.flowcontrol.prioritylevel import PRIORITY_LEVEL_CONFIGURATION
from appliance.api.kinds.networking.ingress import INGRESS
from appliance.api.kinds.networking.ingressclass import INGRESS_CLASS
from appliance.api.kinds.networking.ipaddress import IP_ADDRESS
from appliance.api.kinds.networking.networkpolicy import NETWORK_POLICY
from appliance.api.kinds.networking.servicecidr import SERVICE_CIDR
from appliance.api.kinds.node.runtimeclass import RUNTIME_CLASS
from appliance.api.kinds.policy.poddisruptionbudget import POD_DISRUPTION_BUDGET
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING
from appliance.api.kinds.rbac.role import ROLE
from appliance.api.kinds.rbac.rolebinding import ROLE_BINDING
from appliance.api.kinds.scheduling.priorityclass import PRIORITY_CLASS
from appliance.api.kinds.storage.csidriver import CSI_DRIVER
from appliance.api.kinds.storage.csinode import CSI_NODE
from appliance.api.kinds.storage.csistoragecapacity import CSI_STORAGE_CAPACITY
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS
from appliance.api.kinds.storage.volumeattachment import VOLUME_ATTACHMENT
from appliance.api.kinds.storage.volumeattributesclass import VOLUME_ATTRIBUTES_CLASS

KINDS: tuple[Kind[Any], ...] = (
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_TEMPLATE,
    PERSISTENT_VOLUME,
    LIMIT_RANGE,
    RESOURCE_QUOTA,
    COMPONENT_STATUS,
    REPLICATION_CONTROLLER,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
    CUSTOM_RESOURCE_DEFINITION,
    API_SERVICE,
    FLOW_SCHEMA,
    PRIORITY_LEVEL_CONFIGURATION,
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    CRON_JOB,
    JOB,
    LEASE,
    POD_DISRUPTION_BUDGET,
    PRIORITY_CLASS,
    RUNTIME_CLASS,
    NETWORK_POLICY,
    INGRESS,
    INGRESS_CLASS,
    IP_ADDRESS,
    SERVICE_CIDR,
    STORAGE_CLASS,
    VOLUME_ATTACHMENT,
    CSI_DRIVER,
    CSI_NODE,
    CSI_STORAGE_CAPACITY,
    VOLUME_ATTRIBUTES_CLASS,
    HORIZONTAL_POD_AUTOSCALER,
    HORIZONTAL_POD_AUTOSCALER_V2,
    EVENT_V1,
    ENDPOINT_SLICE,
    CERTIFICATE_SIGNING_REQUEST,
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
