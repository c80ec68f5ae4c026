"""A role and an account for each of upstream's controllers.

Our own controllers ask in-process; the names are here for what refers to them and for programs
that run a controller of their own under one of these accounts.
Source: kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go`.
"""

from collections.abc import Sequence

from appliance.api.kinds.rbac.rules import PolicyRule
from appliance.control.access.rbac.builtin.words import (
    APPS,
    AUTHZ,
    AUTOSCALING,
    BATCH,
    CERTIFICATES,
    DISCOVERY,
    EVENTS,
    NETWORK,
    POLICY,
    READ,
    STORAGE,
    account,
    allow,
    bind,
    cluster_role,
)

PREFIX = "system:controller:"
_PODS = allow("list watch create patch delete", "pods")
_CLAIMS = "persistentvolumeclaims"

_RULES: dict[str, Sequence[PolicyRule]] = {
    "attachdetach-controller": (
        allow("list watch", f"persistentvolumes {_CLAIMS}"),
        allow("get list watch patch update", "nodes"),
        allow("patch update", "nodes/status"),
        allow("list watch", "pods"),
        EVENTS,
        allow("get list watch create delete", "volumeattachments", STORAGE),
        allow(READ, "csidrivers csinodes", STORAGE),
    ),
    "certificate-controller": (
        allow("get list watch delete", "certificatesigningrequests", CERTIFICATES),
        allow(
            "update",
            "certificatesigningrequests/status certificatesigningrequests/approval",
            CERTIFICATES,
        ),
        allow(
            "approve sign",
            "signers",
            CERTIFICATES,
            names="kubernetes.io/kube-apiserver-client-kubelet",
        ),
        allow(
            "sign",
            "signers",
            CERTIFICATES,
            names="kubernetes.io/kube-apiserver-client kubernetes.io/kubelet-serving "
            "kubernetes.io/legacy-unknown",
        ),
        allow("create", "subjectaccessreviews", AUTHZ),
        EVENTS,
    ),
    "clusterrole-aggregation-controller": (
        allow("escalate get list patch update watch", "clusterroles", "rbac.authorization.k8s.io"),
    ),
    "cronjob-controller": (
        allow("get list watch update", "cronjobs", BATCH),
        allow("create delete get list patch update watch", "jobs", BATCH),
        allow("update", "cronjobs/status cronjobs/finalizers", BATCH),
        allow("delete list", "pods"),
        EVENTS,
    ),
    "daemon-set-controller": (
        allow(READ, "daemonsets", APPS),
        allow("update", "daemonsets/status daemonsets/finalizers", APPS),
        allow("list watch", "nodes"),
        _PODS,
        allow("create", "pods/binding"),
        allow("create delete get list patch update watch", "controllerrevisions", APPS),
        EVENTS,
    ),
    "deployment-controller": (
        allow("get list watch update", "deployments", APPS),
        allow("update", "deployments/status deployments/finalizers", APPS),
        allow("create delete get list patch update watch", "replicasets", APPS),
        allow("get list update watch", "pods"),
        EVENTS,
    ),
    "disruption-controller": (
        allow("get list watch", "deployments replicasets statefulsets", APPS),
        allow(READ, "replicationcontrollers"),
        allow(READ, "poddisruptionbudgets", POLICY),
        allow("update", "poddisruptionbudgets/status", POLICY),
        allow("get list watch", "pods"),
        allow("patch update", "pods/status"),
        allow("get", "*/scale", "*"),
        EVENTS,
    ),
    "endpoint-controller": (
        allow(READ, "services pods"),
        allow("create delete get list update", "endpoints"),
        allow("create", "endpoints/restricted"),
        EVENTS,
    ),
    "endpointslice-controller": (
        allow(READ, "services pods nodes"),
        allow("update", "services/finalizers"),
        allow("create delete get list update watch", "endpointslices", DISCOVERY),
        allow("create", "endpointslices/restricted", DISCOVERY),
        EVENTS,
    ),
    "endpointslicemirroring-controller": (
        allow(READ, "services endpoints"),
        allow("update", "services/finalizers endpoints/finalizers"),
        allow("create delete get list update watch", "endpointslices", DISCOVERY),
        allow("create", "endpointslices/restricted", DISCOVERY),
        EVENTS,
    ),
    "ephemeral-volume-controller": (
        allow("get list watch", "pods"),
        allow("update", "pods/finalizers"),
        allow("get list watch create", _CLAIMS),
        EVENTS,
    ),
    "expand-controller": (
        allow("get list patch update watch", "persistentvolumes"),
        allow("patch update", f"{_CLAIMS}/status"),
        allow(READ, _CLAIMS),
        allow(READ, "storageclasses", STORAGE),
        allow("get", "endpoints services secrets"),
        EVENTS,
    ),
    "generic-garbage-collector": (
        allow("delete get list patch update watch", "*", "*"),
        EVENTS,
    ),
    "horizontal-pod-autoscaler": (
        allow("get list watch", "horizontalpodautoscalers", AUTOSCALING),
        allow("update", "horizontalpodautoscalers/status", AUTOSCALING),
        allow("get update", "*/scale", "*"),
        allow("list", "pods"),
        allow("list", "pods", "metrics.k8s.io"),
        allow("get list", "*", "custom.metrics.k8s.io"),
        allow("get list", "*", "external.metrics.k8s.io"),
        EVENTS,
    ),
    "job-controller": (
        allow("get list patch update watch", "jobs", BATCH),
        allow("update", "jobs/status jobs/finalizers", BATCH),
        _PODS,
        EVENTS,
    ),
    "legacy-service-account-token-cleaner": (
        allow("get", "configmaps", names="kube-apiserver-legacy-service-account-token-tracking"),
        allow("patch delete", "secrets"),
    ),
    "namespace-controller": (
        allow("delete get list watch", "namespaces"),
        allow("update", "namespaces/finalize namespaces/status"),
        allow("delete deletecollection get list", "*", "*"),
    ),
    "node-controller": (
        allow("get list update delete patch watch", "nodes"),
        allow("patch update", "nodes/status"),
        allow("patch update", "pods/status"),
        allow("get list delete watch", "pods"),
        EVENTS,
    ),
    "persistent-volume-binder": (
        allow("get list update watch create delete", "persistentvolumes"),
        allow("update", "persistentvolumes/status"),
        allow("get list update watch", _CLAIMS),
        allow("update", f"{_CLAIMS}/status"),
        allow("create delete get list watch", "pods"),
        allow(READ, "storageclasses", STORAGE),
        allow("get list watch", "nodes secrets"),
        EVENTS,
    ),
    "pod-garbage-collector": (
        allow("delete list watch", "pods"),
        allow("get list watch", "nodes"),
        allow("patch", "pods/status"),
    ),
    "pv-protection-controller": (allow("get list update watch", "persistentvolumes"), EVENTS),
    "pvc-protection-controller": (
        allow("get list update watch", _CLAIMS),
        allow("get list watch", "pods"),
        EVENTS,
    ),
    "replicaset-controller": (
        allow("get list update watch", "replicasets", APPS),
        allow("update", "replicasets/status replicasets/finalizers", APPS),
        _PODS,
        EVENTS,
    ),
    "replication-controller": (
        allow("get list update watch", "replicationcontrollers"),
        allow("update", "replicationcontrollers/status replicationcontrollers/finalizers"),
        _PODS,
        EVENTS,
    ),
    "resourcequota-controller": (
        allow("list watch", "*", "*"),
        allow("update", "resourcequotas/status"),
        EVENTS,
    ),
    "root-ca-cert-publisher": (allow("create update", "configmaps"), EVENTS),
    "route-controller": (allow("list watch", "nodes"), allow("patch", "nodes/status"), EVENTS),
    "service-account-controller": (allow("create", "serviceaccounts"), EVENTS),
    "service-cidrs-controller": (
        allow("get list patch update watch", "servicecidrs", NETWORK),
        allow("patch update", "servicecidrs/status servicecidrs/finalizers", NETWORK),
        allow(READ, "ipaddresses", NETWORK),
        EVENTS,
    ),
    "service-controller": (
        allow(READ, "services"),
        allow("patch update", "services/status"),
        allow("list watch", "nodes"),
        EVENTS,
    ),
    "statefulset-controller": (
        allow("list watch", "pods"),
        allow(READ, "statefulsets", APPS),
        allow("update", "statefulsets/status statefulsets/finalizers", APPS),
        allow("create delete get patch update", "pods"),
        allow("create delete get list patch update watch", "controllerrevisions", APPS),
        allow("create get list watch update delete", _CLAIMS),
        EVENTS,
    ),
    "ttl-after-finished-controller": (allow("delete get list watch", "jobs", BATCH), EVENTS),
    "ttl-controller": (allow("list patch update watch", "nodes"), EVENTS),
    "validatingadmissionpolicy-status-controller": (
        allow(
            READ,
            "validatingadmissionpolicies",
            "admissionregistration.k8s.io",
        ),
        allow(
            "get patch update",
            "validatingadmissionpolicies/status",
            "admissionregistration.k8s.io",
        ),
        EVENTS,
    ),
}

ROLES = tuple(cluster_role(PREFIX + name, *rules) for name, rules in _RULES.items())
BINDINGS = tuple(bind(PREFIX + name, account(name)) for name in _RULES)
