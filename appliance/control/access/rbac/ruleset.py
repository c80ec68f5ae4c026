"""The rules of one role, made ready for questions. Pure.

A question is answered by a few look-ups, however many rules there are: rules are filed under
(API group, resource) with `*` as a value of its own. The same question, asked with `*` in it,
tells whether a rule is covered by others: `*` is covered by `*` only.

    rules: get pods; * on deployments.apps      filed: ("", "pods"), ("apps", "deployments")
    may "get" "pods/log"?                       looks at ("", "pods/log"), ("", "*"), ("", "*/log"),
                                                and the same three under group "*": no
Source: kubernetes `pkg/apis/rbac/v1/evaluation_helpers.go`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.api.kinds.rbac.rules import PolicyRule
from appliance.control.access.attributes import Attributes

EVERY = "*"


@dataclass(frozen=True, slots=True)
class _Entry:
    """Verbs, on objects of these names or, without any, on all."""

    verbs: frozenset[str]
    names: frozenset[str]

    def allows(self, verb: str, name: str) -> bool:
        if verb not in self.verbs and EVERY not in self.verbs:
            return False
        return not self.names or name in self.names


class Ruleset:
    """Rules, filed by what they are about."""

    def __init__(self, rules: Sequence[PolicyRule]) -> None:
        self.rules = tuple(rules)
        self._resources: dict[tuple[str, str], list[_Entry]] = defaultdict(list)
        self._paths: list[tuple[frozenset[str], tuple[str, ...]]] = []
        for rule in rules:
            verbs = frozenset(rule.verbs or ())
            entry = _Entry(verbs, frozenset(rule.resourceNames))
            for group in rule.apiGroups:
                for resource in rule.resources:
                    self._resources[group, resource].append(entry)
            if rule.nonResourceURLs:
                self._paths.append((verbs, tuple(rule.nonResourceURLs)))

    def allows(self, asked: Attributes) -> bool:
        """Whether a rule allows what is asked."""
        if not asked.resource:
            return any(
                (asked.verb in verbs or EVERY in verbs)
                and any(_path_matches(pattern, asked.path) for pattern in patterns)
                for verbs, patterns in self._paths
            )
        return any(
            entry.allows(asked.verb, asked.name)
            for key in _keys(asked)
            for entry in self._resources.get(key, ())
        )


def _keys(asked: Attributes) -> Iterator[tuple[str, str]]:
    """Give each place where a rule that fits may be filed."""
    for group in (asked.group, EVERY):
        yield group, asked.full_resource
        yield group, EVERY
        if asked.subresource:
            yield group, f"*/{asked.subresource}"


def _path_matches(pattern: str, path: str) -> bool:
    if pattern in {EVERY, path}:
        return True
    return pattern.endswith(EVERY) and path.startswith(pattern.rstrip(EVERY))


def atoms(rule: PolicyRule) -> Iterator[Attributes]:
    """Take a rule apart into single questions."""
    for verb in rule.verbs or ():
        for path in rule.nonResourceURLs:
            yield Attributes(verb=verb, path=path)
        for group in rule.apiGroups:
            for full in rule.resources:
                resource, _, subresource = full.partition("/")
                for name in rule.resourceNames or [""]:
                    yield Attributes(
                        verb=verb,
                        group=group,
                        resource=resource,
                        subresource=subresource,
                        name=name,
                    )
