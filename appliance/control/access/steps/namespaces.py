"""Namespaces must exist to be written into, and some may not be deleted.

Source: apiserver `pkg/admission/plugin/namespace/lifecycle`.
"""

from appliance.api import errors
from appliance.api.errors import Cause
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
"""Without these the cluster itself does not work."""


class NamespaceLifecycle:
    """Refuses new content where the namespace is missing or going away."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.verb == "delete":
            if attempt.kind is NAMESPACE and attempt.name in IMMORTAL:
                raise attempt.forbid("this namespace may not be deleted")
            return
        if not attempt.kind.namespaced or not attempt.namespace or attempt.verb != "create":
            return
        namespace = await self._lookup.find(NAMESPACE, "", attempt.namespace)
        if namespace is None:
            raise errors.not_found(NAMESPACE.plural, NAMESPACE.group, attempt.namespace)
        if namespace.status.phase == "Terminating":
            name = attempt.namespace
            raise attempt.forbid(
                f"unable to create new content in namespace {name} because it is being terminated",
                Cause(
                    "NamespaceTerminating",
                    f"namespace {name} is being terminated",
                    "metadata.namespace",
                ),
            )
