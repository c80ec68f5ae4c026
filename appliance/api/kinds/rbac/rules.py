"""What roles and bindings are made of: rules, subjects and references to roles.

Shared by the four kinds of this group. Source: k8s.io/api `rbac/v1`, kubernetes
`pkg/apis/rbac/validation`, whose messages these are.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.schema import F, Message, always, nullable

GROUP = "rbac.authorization.k8s.io"
USER, GROUP_KIND, SERVICE_ACCOUNT = "User", "Group", "ServiceAccount"
ROLE, CLUSTER_ROLE = "Role", "ClusterRole"


class PolicyRule(Message):
    """Some verbs on some resources, or on some paths."""

    verbs: Annotated[
        list[str] | None, F(1, "Verbs; * is all.", required=True, list_type="atomic")
    ] = nullable()
    apiGroups: Annotated[
        list[str], F(2, "API groups; empty text is the core group, * is all.", list_type="atomic")
    ] = []
    resources: Annotated[
        list[str], F(3, "Resources, as pods or pods/log; * is all.", list_type="atomic")
    ] = []
    resourceNames: Annotated[
        list[str], F(4, "Names of objects it is limited to; empty is all.", list_type="atomic")
    ] = []
    nonResourceURLs: Annotated[
        list[str],
        F(5, "Paths that are no resources; a * at the end is any rest.", list_type="atomic"),
    ] = []


class Subject(Message):
    """Somebody who gets what a role grants."""

    kind: Annotated[str, F(1, "User, Group or ServiceAccount.", required=True)] = always(str)
    apiGroup: Annotated[str, F(2, "Group of the kind; empty for service accounts.")] = ""
    name: Annotated[str, F(3, "Name.", required=True)] = always(str)
    namespace: Annotated[str, F(4, "Namespace of a service account.")] = ""


class RoleRef(Message):
    """The role that a binding grants."""

    apiGroup: Annotated[str, F(1, "Group of the role's kind.", required=True)] = always(str)
    kind: Annotated[str, F(2, "Role or ClusterRole.", required=True)] = always(str)
    name: Annotated[str, F(3, "Name of the role.", required=True)] = always(str)


def set_binding_defaults(subjects: Sequence[Subject], ref: RoleRef) -> None:
    """Fill in the API groups that may be left out."""
    ref.apiGroup = ref.apiGroup or GROUP
    for subject in subjects:
        if subject.kind in {USER, GROUP_KIND} and not subject.apiGroup:
            subject.apiGroup = GROUP


def rule_faults(rules: Sequence[PolicyRule] | None, *, namespaced: bool) -> Iterator[Cause]:
    """Check the rules of a role."""
    for index, rule in enumerate(rules or ()):
        path = f"rules[{index}]"
        if not rule.verbs:
            yield faults.required(f"{path}.verbs", "verbs must contain at least one value")
        if rule.nonResourceURLs:
            where = f"{path}.nonResourceURLs"
            if namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                yield faults.wrong(where, rule.nonResourceURLs, why)
            if rule.apiGroups or rule.resources or rule.resourceNames:
                why = "rules cannot apply to both regular resources and non-resource URLs"
                yield faults.wrong(where, rule.nonResourceURLs, why)
            continue
        if not rule.apiGroups:
            why = "resource rules must supply at least one api group"
            yield faults.required(f"{path}.apiGroups", why)
        if not rule.resources:
            why = "resource rules must supply at least one resource"
            yield faults.required(f"{path}.resources", why)


def binding_faults(
    subjects: Sequence[Subject], ref: RoleRef, *, namespaced: bool
) -> Iterator[Cause]:
    """Check whom a binding means and what it grants."""
    if ref.apiGroup != GROUP:
        yield faults.unsupported("roleRef.apiGroup", ref.apiGroup, (GROUP,))
    kinds = (ROLE, CLUSTER_ROLE) if namespaced else (CLUSTER_ROLE,)
    if ref.kind not in kinds:
        yield faults.unsupported("roleRef.kind", ref.kind, kinds)
    if not ref.name:
        yield faults.required("roleRef.name")
    else:
        for fault in names.path_segment(ref.name):
            yield faults.wrong("roleRef.name", ref.name, fault)
    for index, subject in enumerate(subjects):
        yield from _subject_faults(subject, f"subjects[{index}]", namespaced=namespaced)


def _subject_faults(subject: Subject, path: str, *, namespaced: bool) -> Iterator[Cause]:
    if not subject.name:
        yield faults.required(f"{path}.name")
    if subject.kind == SERVICE_ACCOUNT:
        for fault in names.dns_subdomain(subject.name) if subject.name else ():
            yield faults.wrong(f"{path}.name", subject.name, fault)
        if subject.apiGroup:
            yield faults.unsupported(f"{path}.apiGroup", subject.apiGroup, ("",))
        if not namespaced and not subject.namespace:
            yield faults.required(f"{path}.namespace")
    elif subject.kind in {USER, GROUP_KIND}:
        if subject.apiGroup != GROUP:
            yield faults.unsupported(f"{path}.apiGroup", subject.apiGroup, (GROUP,))
    else:
        allowed = (SERVICE_ACCOUNT, USER, GROUP_KIND)
        yield faults.unsupported(f"{path}.kind", subject.kind, allowed)


def ref_faults(new: RoleRef, old: RoleRef) -> Iterator[Cause]:
    """Refuse to let a binding grant another role: whom it was given to was decided for this one."""
    if new != old:
        shown = {"APIGroup": new.apiGroup, "Kind": new.kind, "Name": new.name}
        yield faults.wrong("roleRef", shown, "cannot change roleRef")


def subject_names(subjects: Sequence[Subject], kind: str) -> str:
    """List the subjects of a kind for a table."""
    accounts = kind == SERVICE_ACCOUNT
    return ", ".join(
        f"{s.namespace}/{s.name}" if accounts else s.name for s in subjects if s.kind == kind
    )
