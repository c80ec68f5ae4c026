"""Ingresses that leave their class open get the default one, if there is one.

Source: kubernetes `plugin/pkg/admission/network/defaultingressclass`.
"""

from appliance.api.kinds.networking.ingress import CLASS_ANNOTATION, INGRESS, Ingress
from appliance.api.kinds.networking.ingressclass import DEFAULT_ANNOTATION, INGRESS_CLASS
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup


class DefaultIngressClass:
    """Writes the default class into new ingresses; of several the newest."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.kind is not INGRESS or attempt.verb != "create" or attempt.subresource:
            return
        ingress: Ingress = attempt.obj
        if ingress.spec.ingressClassName is not None:
            return
        if CLASS_ANNOTATION in ingress.metadata.annotations:
            return
        defaults = [
            one
            for one in await self._lookup.every(INGRESS_CLASS)
            if one.metadata.annotations.get(DEFAULT_ANNOTATION) == "true"
        ]
        if defaults:
            defaults.sort(key=lambda one: one.metadata.name)
            newest = max(defaults, key=lambda one: one.metadata.creationTimestamp or "")
            ingress.spec.ingressClassName = newest.metadata.name
