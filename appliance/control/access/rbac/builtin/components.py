"""Roles for the parts of a cluster that run outside this process, and for those who help them.

Ours ask in-process and need none of these; add-ons, and parts of other makes, do.
Source: kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`.
"""

from appliance.api.kinds.rbac.clusterrole import ClusterRole
from appliance.api.kinds.rbac.role import Role
from appliance.control.access.rbac.builtin.words import (
    APPS,
    AUTHN,
    AUTHZ,
    CERTIFICATES,
    COORDINATION,
    DISCOVERY,
    EVENTS,
    NETWORK,
    POLICY,
    READ,
    STORAGE,
    account,
    allow,
    bind,
    bind_in,
    cluster_role,
    role,
    user,
)

_SYSTEM, _PUBLIC = "kube-system", "kube-public"
_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def _approver(name: str, signer: str) -> ClusterRole:
    title = f"system:certificates.k8s.io:{name}-approver"
    return cluster_role(title, allow("approve", "signers", CERTIFICATES, names=signer))


_DELEGATED = (
    allow("create", "tokenreviews", AUTHN),
    allow("create", "subjectaccessreviews", AUTHZ),
)

ROLES = (
    cluster_role("system:auth-delegator", *_DELEGATED),
    cluster_role("system:kube-aggregator", allow(READ, "services endpoints")),
    cluster_role("system:kube-dns", allow("list watch", "endpoints services")),
    cluster_role(
        "system:kubelet-api-admin",
        allow("get list watch proxy", "nodes"),
        allow("*", "nodes/proxy nodes/metrics nodes/stats nodes/log"),
    ),
    # Nodes are let in by an authorizer of their own; the role stands there for those who bind it.
    cluster_role("system:node", *_DELEGATED),
    cluster_role(
        "system:node-bootstrapper",
        allow("create get list watch", "certificatesigningrequests", CERTIFICATES),
    ),
    cluster_role(
        "system:node-problem-detector",
        allow("get", "nodes"),
        allow("patch", "nodes/status"),
        EVENTS,
    ),
    cluster_role(
        "system:node-proxier",
        allow("list watch", "services endpoints"),
        allow(READ, "nodes"),
        EVENTS,
        allow("list watch", "endpointslices", DISCOVERY),
        allow("list watch", "servicecidrs", NETWORK),
    ),
    cluster_role(
        "system:persistent-volume-provisioner",
        allow("get list watch create delete", "persistentvolumes"),
        allow("get list watch update", "persistentvolumeclaims"),
        allow(READ, "storageclasses", STORAGE),
        allow("watch", "events"),
        EVENTS,
    ),
    cluster_role(
        "system:kube-controller-manager",
        EVENTS,
        allow("create", "leases", COORDINATION),
        allow("get update", "leases", COORDINATION, names="kube-controller-manager"),
        allow("create", "secrets serviceaccounts"),
        allow("delete", "secrets"),
        allow("get", "configmaps namespaces secrets serviceaccounts"),
        allow("update", "secrets serviceaccounts"),
        *_DELEGATED,
        allow("list watch", "*", "*"),
        allow("create", "serviceaccounts/token"),
    ),
    cluster_role(
        "system:kube-scheduler",
        EVENTS,
        allow("create", "leases", COORDINATION),
        allow("get update", "leases", COORDINATION, names="kube-scheduler"),
        allow(READ, "nodes"),
        allow("delete get list watch", "pods"),
        allow("create", "bindings pods/binding"),
        allow("patch update", "pods/status"),
        allow(READ, "replicationcontrollers services persistentvolumeclaims persistentvolumes"),
        allow(READ, "replicasets statefulsets", APPS),
        allow(READ, "poddisruptionbudgets", POLICY),
        *_DELEGATED,
        allow(READ, "csinodes csidrivers csistoragecapacities volumeattachments", STORAGE),
        allow(READ, "namespaces"),
    ),
    cluster_role(
        "system:volume-scheduler",
        allow("get list patch update watch", "persistentvolumes"),
        allow(READ, "storageclasses", STORAGE),
        allow("get list patch update watch", "persistentvolumeclaims"),
    ),
    cluster_role(
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        allow("create", "certificatesigningrequests/nodeclient", CERTIFICATES),
    ),
    cluster_role(
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        allow("create", "certificatesigningrequests/selfnodeclient", CERTIFICATES),
    ),
    _approver("kube-apiserver-client", _CLIENT_SIGNER),
    _approver("kube-apiserver-client-kubelet", f"{_CLIENT_SIGNER}-kubelet"),
    _approver("kubelet-serving", "kubernetes.io/kubelet-serving"),
    _approver("legacy-unknown", "kubernetes.io/legacy-unknown"),
)

BINDINGS = (
    bind("system:kube-controller-manager", user("system:kube-controller-manager")),
    bind("system:kube-scheduler", user("system:kube-scheduler")),
    bind("system:volume-scheduler", user("system:kube-scheduler")),
    bind("system:node-proxier", user("system:kube-proxy")),
    bind("system:kube-dns", account("kube-dns")),
    bind("system:node"),  # to nobody: see the role
)


def _leader(name: str) -> Role:
    return role(
        _SYSTEM,
        f"system::leader-locking-{name}",
        allow("watch", "configmaps"),
        allow("get update", "configmaps", names=name),
    )


NAMESPACE_ROLES = (
    role(
        _SYSTEM,
        "extension-apiserver-authentication-reader",
        allow(READ, "configmaps", names="extension-apiserver-authentication"),
    ),
    role(_SYSTEM, "system:controller:bootstrap-signer", allow(READ, "secrets")),
    role(
        _SYSTEM,
        "system:controller:token-cleaner",
        allow("get list watch delete", "secrets"),
        EVENTS,
    ),
    role(
        _SYSTEM,
        "system:controller:cloud-provider",
        allow("create get list watch", "configmaps"),
    ),
    _leader("kube-controller-manager"),
    _leader("kube-scheduler"),
    role(
        _PUBLIC,
        "system:controller:bootstrap-signer",
        allow(READ, "configmaps"),
        allow("update", "configmaps", names="cluster-info"),
        EVENTS,
    ),
)

NAMESPACE_BINDINGS = (
    bind_in(
        _SYSTEM,
        "system::extension-apiserver-authentication-reader",
        user("system:kube-controller-manager"),
        user("system:kube-scheduler"),
        to="extension-apiserver-authentication-reader",
    ),
    bind_in(
        _SYSTEM,
        "system::leader-locking-kube-controller-manager",
        user("system:kube-controller-manager"),
        account("kube-controller-manager"),
    ),
    bind_in(
        _SYSTEM,
        "system::leader-locking-kube-scheduler",
        user("system:kube-scheduler"),
        account("kube-scheduler"),
    ),
    bind_in(_SYSTEM, "system:controller:bootstrap-signer", account("bootstrap-signer")),
    bind_in(_SYSTEM, "system:controller:cloud-provider", account("cloud-provider")),
    bind_in(_SYSTEM, "system:controller:token-cleaner", account("token-cleaner")),
    bind_in(_PUBLIC, "system:controller:bootstrap-signer", account("bootstrap-signer")),
)
