"""Which requests stand in the audit log: a policy file in upstream's form. Pure.

    apiVersion: audit.k8s.io/v1
    kind: Policy
    rules:
    - level: None
      users: ["system:kube-scheduler"]
      verbs: [get, list, watch]
    - level: Metadata

The first rule that fits decides; without one the request is not logged. Levels are None and
Metadata: Request and RequestResponse are read as Metadata, bodies are not kept.
Source: k8s.io/apiserver `audit/policy`.
"""

from typing import Literal

import msgspec

from appliance.control.http.target import Target
from appliance.control.registry.base import User

Level = Literal["None", "Metadata", "Request", "RequestResponse"]


class GroupResources(msgspec.Struct, frozen=True, rename="camel"):
    """Resources of an API group; none are all."""

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def fits(self, target: Target, name: str) -> bool:
        """Whether the request is about one of them."""
        if self.group not in (target.group, "*"):
            return False
        if self.resource_names and name not in self.resource_names:
            return False
        full = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
        wanted = {full, "*", f"*/{target.subresource}" if target.subresource else full}
        return not self.resources or bool(wanted & set(self.resources))


_NAMES = {"user_groups": "userGroups", "non_resource_urls": "nonResourceURLs"}


class Rule(msgspec.Struct, frozen=True, rename=_NAMES):
    """What must hold, and the level that follows; what is empty does not matter."""

    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()

    def fits(self, user: User, target: Target) -> bool:
        """Whether the rule is about this request."""
        if self.users and user.name not in self.users:
            return False
        if self.user_groups and not set(self.user_groups) & set(user.groups):
            return False
        if self.verbs and target.verb not in self.verbs and "*" not in self.verbs:
            return False
        if target.resource:
            return self._fits_resource(target)
        if self.resources or self.namespaces:
            return False
        return not self.non_resource_urls or any(
            url in (target.path, "*") or (url.endswith("*") and target.path.startswith(url[:-1]))
            for url in self.non_resource_urls
        )

    def _fits_resource(self, target: Target) -> bool:
        if self.non_resource_urls and not self.resources:
            return False
        if self.namespaces and target.namespace not in self.namespaces:
            return False
        return not self.resources or any(r.fits(target, target.name) for r in self.resources)


class Policy(msgspec.Struct, frozen=True):
    """Rules in order."""

    rules: tuple[Rule, ...] = ()
    kind: str = "Policy"

    def logs(self, user: User, target: Target) -> bool:
        """Whether a request stands in the log."""
        rule = next((rule for rule in self.rules if rule.fits(user, target)), None)
        return rule is not None and rule.level != "None"


def read_policy(text: str) -> Policy:
    """Read a policy file.

    Raises:
        ValueError: it is none.
    """
    try:
        policy = msgspec.yaml.decode(text, type=Policy)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no audit policy: {error}") from error
    if policy.kind != "Policy" or not policy.rules:
        raise ValueError("no audit policy: kind must be Policy, and there must be rules")
    return policy


DEFAULT = Policy(
    rules=(
        Rule(
            level="None",
            user_groups=("system:nodes",),
            resources=(GroupResources("coordination.k8s.io"),),
        ),
        Rule(
            level="None",
            non_resource_urls=(
                "/healthz*",
                "/livez*",
                "/readyz*",
                "/version",
                "/openapi*",
                "/api*",
            ),
        ),
        Rule(level="Metadata"),
    )
)
"""Everything but heartbeats, health and discovery."""
