"""Short ways to write down rules; used by the tables of this folder only. Pure."""

from appliance.api.kinds.rbac.clusterrole import AggregationRule, ClusterRole
from appliance.api.kinds.rbac.clusterrolebinding import ClusterRoleBinding
from appliance.api.kinds.rbac.role import Role
from appliance.api.kinds.rbac.rolebinding import RoleBinding
from appliance.api.kinds.rbac.rules import (
    CLUSTER_ROLE,
    GROUP,
    GROUP_KIND,
    ROLE,
    SERVICE_ACCOUNT,
    USER,
    PolicyRule,
    RoleRef,
    Subject,
)
from appliance.api.meta import LabelSelector, ObjectMeta

LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
"""An administrator who sets it to false keeps a built-in role as it is."""
AGGREGATE_TO = "rbac.authorization.k8s.io/aggregate-to-"

READ = "get list watch"
WRITE = "create delete deletecollection patch update"
ALL = f"{READ} {WRITE}"

APPS, BATCH, NETWORK = "apps", "batch", "networking.k8s.io"
AUTOSCALING, POLICY, STORAGE = "autoscaling", "policy", "storage.k8s.io"
COORDINATION, DISCOVERY = "coordination.k8s.io", "discovery.k8s.io"
AUTHN, AUTHZ, CERTIFICATES = "authentication.k8s.io", "authorization.k8s.io", "certificates.k8s.io"

EVENTS = PolicyRule(
    verbs=["create", "patch", "update"], apiGroups=["", "events.k8s.io"], resources=["events"]
)
"""Nearly everybody who does something reports it."""


def allow(verbs: str, resources: str, group: str = "", *, names: str = "") -> PolicyRule:
    """`allow("get list", "pods pods/log")`."""
    return PolicyRule(
        verbs=verbs.split(),
        apiGroups=[group],
        resources=resources.split(),
        resourceNames=names.split(),
    )


def visit(paths: str, verbs: str = "get") -> PolicyRule:
    """`visit("/healthz /version")`."""
    return PolicyRule(verbs=verbs.split(), nonResourceURLs=paths.split())


def cluster_role(
    name: str, *rules: PolicyRule, label: str = "", aggregates: str = ""
) -> ClusterRole:
    """Make a cluster role; `label` lets it be part of another, `aggregates` names its parts'."""
    meta = _meta(name)
    if label:
        meta.labels[AGGREGATE_TO + label] = "true"
    if not aggregates:
        return ClusterRole(metadata=meta, rules=list(rules))
    selector = LabelSelector(matchLabels={AGGREGATE_TO + aggregates: "true"})
    return ClusterRole(
        metadata=meta, aggregationRule=AggregationRule(clusterRoleSelectors=[selector])
    )


def role(namespace: str, name: str, *rules: PolicyRule) -> Role:
    """Make a role of one namespace."""
    return Role(metadata=_meta(name, namespace), rules=list(rules))


def user(name: str) -> Subject:
    """Name a user."""
    return Subject(kind=USER, apiGroup=GROUP, name=name)


def group(name: str) -> Subject:
    """Name a group."""
    return Subject(kind=GROUP_KIND, apiGroup=GROUP, name=name)


def account(name: str, namespace: str = "kube-system") -> Subject:
    """Name a service account."""
    return Subject(kind=SERVICE_ACCOUNT, name=name, namespace=namespace)


def bind(name: str, *subjects: Subject, to: str = "") -> ClusterRoleBinding:
    """Bind a cluster role, by default that of the same name."""
    ref = RoleRef(apiGroup=GROUP, kind=CLUSTER_ROLE, name=to or name)
    return ClusterRoleBinding(metadata=_meta(name), subjects=list(subjects), roleRef=ref)


def bind_in(namespace: str, name: str, *subjects: Subject, to: str = "") -> RoleBinding:
    """Bind a role of a namespace, by default that of the same name."""
    ref = RoleRef(apiGroup=GROUP, kind=ROLE, name=to or name)
    return RoleBinding(metadata=_meta(name, namespace), subjects=list(subjects), roleRef=ref)


def _meta(name: str, namespace: str = "") -> ObjectMeta:
    return ObjectMeta(
        name=name,
        namespace=namespace,
        labels=dict(LABELS),
        annotations={AUTO_UPDATE: "true"},
    )
