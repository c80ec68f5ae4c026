"""What authorisation is asked and answers; shared by all who decide. Pure values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from appliance.api.errors import Details, Forbidden, qualified
from appliance.api.kinds.rbac.rules import PolicyRule
from appliance.control.registry.base import User

MASTERS = "system:masters"
READ = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What is asked: a verb on a resource, or on a plain path where `resource` is empty."""

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    fields: str = ""
    """Field selector of a list, a watch or a deletion of many: it may be let in for its own."""
    labels: str = ""
    """Label selector of the same."""

    @property
    def full_resource(self) -> str:
        """`pods` or `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, and why; an empty reason is told to nobody."""

    allowed: bool
    reason: str = ""


NO_OPINION = Decision(allowed=False)
YES = Decision(allowed=True)


@dataclass(frozen=True, slots=True)
class Rules:
    """What somebody may do, as far as it can be listed; `problem` says why there may be more."""

    rules: tuple[PolicyRule, ...] = ()
    problem: str = ""


class Authorizer(Protocol):
    """Decides."""

    async def decide(self, user: User, asked: Attributes) -> Decision:
        """Say whether `user` may do what is asked."""
        ...

    async def rules_of(self, user: User, namespace: str) -> Rules:
        """List what `user` may do in a namespace."""
        ...


class Authorizers:
    """Asks one after the other; the first that allows it decides."""

    def __init__(self, chain: Sequence[Authorizer]) -> None:
        self._chain = tuple(chain)

    async def decide(self, user: User, asked: Attributes) -> Decision:
        """See `Authorizer`."""
        reasons = []
        for authorizer in self._chain:
            decision = await authorizer.decide(user, asked)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(allowed=False, reason=", ".join(reasons)) if reasons else NO_OPINION

    async def rules_of(self, user: User, namespace: str) -> Rules:
        """See `Authorizer`."""
        found = [await authorizer.rules_of(user, namespace) for authorizer in self._chain]
        return Rules(
            tuple(rule for part in found for rule in part.rules),
            ", ".join(part.problem for part in found if part.problem),
        )


class Masters:
    """Lets the group of the administrators do everything, whatever the roles say."""

    async def decide(self, user: User, asked: Attributes) -> Decision:
        """See `Authorizer`."""
        del asked
        return YES if MASTERS in user.groups else NO_OPINION

    async def rules_of(self, user: User, namespace: str) -> Rules:
        """Nothing: a role of the cluster says the same."""
        del user, namespace
        return Rules()


def forbidden(user: User, asked: Attributes, reason: str = "") -> Forbidden:
    """Say no in upstream's words."""
    why = f": {reason}" if reason else ""
    if not asked.resource:
        message = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"{why}'
        return Forbidden(message, Details())
    subject = qualified(asked.resource, asked.group)
    if asked.name:
        subject += f' "{asked.name}"'
    return Forbidden(
        f'{subject} is forbidden: User "{user.name}" {cannot(asked)}{why}',
        Details(name=asked.name, group=asked.group, kind=asked.resource),
    )


def cannot(asked: Attributes) -> str:
    """`cannot list resource "pods" in API group "" in the namespace "n"`."""
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    what = f'resource "{asked.full_resource}" in API group "{asked.group}"'
    return f"cannot {asked.verb} {what} {place}"
