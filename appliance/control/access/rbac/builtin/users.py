"""Roles for people: administrators, editors, viewers, and what everybody may ask.

Source: kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`; names and rights are part
of what manifests and charts rely on.
"""

from appliance.control.access.rbac.builtin.words import (
    ALL,
    APPS,
    AUTHN,
    AUTHZ,
    AUTOSCALING,
    BATCH,
    COORDINATION,
    DISCOVERY,
    NETWORK,
    POLICY,
    READ,
    WRITE,
    allow,
    bind,
    cluster_role,
    group,
    visit,
)

_RBAC = "rbac.authorization.k8s.io"
_APPS = (
    "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale "
    "statefulsets statefulsets/scale"
)
_APPS_SEEN = (
    "controllerrevisions daemonsets daemonsets/status deployments deployments/scale "
    "deployments/status replicasets replicasets/scale replicasets/status statefulsets "
    "statefulsets/scale statefulsets/status"
)
# An API group of the first days: charts still name it, so editors may still be granted it.
_OLD = (
    "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies "
    "replicasets replicasets/scale replicationcontrollers/scale"
)
_OLD_SEEN = (
    "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses "
    "ingresses/status networkpolicies replicasets replicasets/scale replicasets/status "
    "replicationcontrollers/scale"
)
_CONNECT = "pods/attach pods/exec pods/portforward pods/proxy"
_HEALTH = "/healthz /livez /readyz /version /version/"

ROLES = (
    cluster_role("cluster-admin", allow("*", "*", "*"), visit("*", "*")),
    cluster_role("admin", aggregates="admin"),
    cluster_role("edit", label="admin", aggregates="edit"),
    cluster_role("view", label="edit", aggregates="view"),
    cluster_role(
        "system:aggregate-to-admin",
        allow("create", "localsubjectaccessreviews", AUTHZ),
        allow(ALL, "rolebindings roles", _RBAC),
        label="admin",
    ),
    cluster_role(
        "system:aggregate-to-edit",
        allow(READ, f"{_CONNECT} secrets services/proxy"),
        allow("impersonate", "serviceaccounts"),
        allow(WRITE, f"pods {_CONNECT}"),
        allow("create", "pods/eviction"),
        allow(
            WRITE,
            "configmaps events persistentvolumeclaims replicationcontrollers "
            "replicationcontrollers/scale secrets serviceaccounts services services/proxy",
        ),
        allow("create", "serviceaccounts/token"),
        allow(WRITE, _APPS, APPS),
        allow(WRITE, "horizontalpodautoscalers", AUTOSCALING),
        allow(WRITE, "cronjobs jobs", BATCH),
        allow(WRITE, _OLD, "extensions"),
        allow(WRITE, "poddisruptionbudgets", POLICY),
        allow(WRITE, "ingresses networkpolicies", NETWORK),
        allow(ALL, "leases", COORDINATION),
        label="edit",
    ),
    cluster_role(
        "system:aggregate-to-view",
        allow(
            READ,
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
            "replicationcontrollers replicationcontrollers/scale serviceaccounts services "
            "services/status",
        ),
        allow(
            READ,
            "bindings events limitranges namespaces/status pods/log pods/status "
            "replicationcontrollers/status resourcequotas resourcequotas/status",
        ),
        allow(READ, "namespaces"),
        allow(READ, "endpointslices", DISCOVERY),
        allow(READ, _APPS_SEEN, APPS),
        allow(READ, "horizontalpodautoscalers horizontalpodautoscalers/status", AUTOSCALING),
        allow(READ, "cronjobs cronjobs/status jobs jobs/status", BATCH),
        allow(READ, _OLD_SEEN, "extensions"),
        allow(READ, "poddisruptionbudgets poddisruptionbudgets/status", POLICY),
        allow(READ, "ingresses ingresses/status networkpolicies", NETWORK),
        label="view",
    ),
    cluster_role(
        "system:aggregated-metrics-reader",
        allow(READ, "nodes pods", "metrics.k8s.io"),
        label="view",
    ),
    cluster_role(
        "system:discovery",
        visit(
            "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version "
            "/version/"
        ),
    ),
    cluster_role(
        "system:basic-user",
        allow("create", "selfsubjectaccessreviews selfsubjectrulesreviews", AUTHZ),
        allow("create", "selfsubjectreviews", AUTHN),
    ),
    cluster_role("system:public-info-viewer", visit(_HEALTH)),
    # The recorded server lets everybody who is somebody read what is well known by its name.
    cluster_role("system:well-known-viewer", visit("/.well-known /.well-known/*")),
    cluster_role(
        "system:monitoring",
        visit("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
    ),
    cluster_role(
        "system:service-account-issuer-discovery",
        visit(
            "/.well-known/openid-configuration /.well-known/openid-configuration/ "
            "/openid/v1/jwks /openid/v1/jwks/"
        ),
    ),
)

_EVERYBODY, _NOBODY = group("system:authenticated"), group("system:unauthenticated")

BINDINGS = (
    bind("cluster-admin", group("system:masters")),
    bind("system:discovery", _EVERYBODY),
    bind("system:basic-user", _EVERYBODY),
    bind("system:public-info-viewer", _EVERYBODY, _NOBODY),
    bind("system:well-known-viewer", _EVERYBODY),
    bind("system:monitoring", group("system:monitoring")),
    bind("system:service-account-issuer-discovery", group("system:serviceaccounts")),
)
