"""Eviction: asks a pod to go, unless a disruption budget is against it."""

from typing import Annotated

from appliance.api.meta import DeleteOptions, KubeObject
from appliance.api.schema import F


class Eviction(KubeObject):
    """Asks a pod to go, unless a disruption budget is against it."""

    deleteOptions: Annotated[DeleteOptions | None, F(2, "How to delete it.")] = None
