"""Who gets which rules: all bindings, filed by whom they name. Pure.

Made anew when a role or a binding changes, which is rare; asked at each request. A binding whose
role is missing grants nothing and comes to life with the role.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.api.kinds.rbac.clusterrole import ClusterRole
from appliance.api.kinds.rbac.clusterrolebinding import ClusterRoleBinding
from appliance.api.kinds.rbac.role import Role
from appliance.api.kinds.rbac.rolebinding import BindingBase, RoleBinding
from appliance.api.kinds.rbac.rules import (
    CLUSTER_ROLE,
    GROUP_KIND,
    SERVICE_ACCOUNT,
    USER,
    PolicyRule,
    RoleRef,
    Subject,
)
from appliance.control.access.accounts import account_user
from appliance.control.access.rbac.ruleset import Ruleset, atoms
from appliance.control.registry.base import User


@dataclass(frozen=True, slots=True)
class Grant:
    """One binding's gift to one subject; `source` names both for people."""

    rules: Ruleset
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """All that roles and bindings say."""

    roles: Sequence[Role] = ()
    cluster_roles: Sequence[ClusterRole] = ()
    bindings: Sequence[RoleBinding] = ()
    cluster_bindings: Sequence[ClusterRoleBinding] = ()


class Grants:
    """Grants by subject and namespace ("" is the whole cluster)."""

    def __init__(self, objects: Objects) -> None:
        self._cluster_roles = {
            r.metadata.name: Ruleset(r.rules or ()) for r in objects.cluster_roles
        }
        self._roles = {
            (r.metadata.namespace, r.metadata.name): Ruleset(r.rules or ()) for r in objects.roles
        }
        self._filed: dict[tuple[str, str, str], list[Grant]] = defaultdict(list)
        for cluster_binding in objects.cluster_bindings:
            self._file(cluster_binding, "", f'ClusterRoleBinding "{cluster_binding.metadata.name}"')
        for binding in objects.bindings:
            meta = binding.metadata
            what = f'RoleBinding "{meta.name}/{meta.namespace}"'
            self._file(binding, meta.namespace, what)

    def of(self, user: User, namespace: str) -> Iterator[Grant]:
        """Everything that `user` is granted in a namespace: first what holds everywhere."""
        for place in ("", namespace) if namespace else ("",):
            yield from self._filed.get((place, USER, user.name), ())
            for group in user.groups:
                yield from self._filed.get((place, GROUP_KIND, group), ())

    def role(self, ref: RoleRef, namespace: str) -> Ruleset | None:
        """Find the rules of a role, as a binding in that namespace means it."""
        if ref.kind == CLUSTER_ROLE:
            return self._cluster_roles.get(ref.name)
        return self._roles.get((namespace, ref.name))

    def _file(self, binding: BindingBase, namespace: str, what: str) -> None:
        ref = binding.roleRef
        rules = self.role(ref, namespace)
        if rules is None:
            return
        for subject in binding.subjects:
            found = _subject(subject, namespace)
            if found is not None:
                kind, name, shown = found
                source = f'{what} of {ref.kind} "{ref.name}" to {shown}'
                self._filed[namespace, kind, name].append(Grant(rules, source))


def _subject(subject: Subject, namespace: str) -> tuple[str, str, str] | None:
    """Kind and name that a subject is filed under, and how to show it."""
    if subject.kind in {USER, GROUP_KIND}:
        return subject.kind, subject.name, f'{subject.kind} "{subject.name}"'
    home = subject.namespace or namespace
    if subject.kind != SERVICE_ACCOUNT or not home:
        return None
    return USER, account_user(home, subject.name), f'{subject.kind} "{subject.name}/{home}"'


def uncovered(rules: Sequence[PolicyRule], held: Sequence[Ruleset]) -> list[PolicyRule]:
    """Give the part of `rules` that nothing in `held` covers, put together again for people."""
    missing: dict[tuple[str, ...], PolicyRule] = {}
    for rule in rules:
        for atom in atoms(rule):
            if any(own.allows(atom) for own in held):
                continue
            key = (atom.group, atom.full_resource, atom.name, atom.path)
            found = missing.setdefault(key, _rule(key))
            if atom.verb not in (verbs := found.verbs or []):
                found.verbs = [*verbs, atom.verb]
    return list(missing.values())


def _rule(key: tuple[str, ...]) -> PolicyRule:
    group, resource, name, path = key
    if not resource:
        return PolicyRule(verbs=[], nonResourceURLs=[path])
    names = [name] if name else []
    return PolicyRule(verbs=[], apiGroups=[group], resources=[resource], resourceNames=names)
