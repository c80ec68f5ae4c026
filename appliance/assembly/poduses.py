"""Brings together who knows what pods use (the API's metrics group) and who scales by it."""

from collections.abc import Mapping, Sequence
from typing import Any

from appliance.api import quantity
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.controllers.scalemetrics import PodUse
from appliance.control.http.usage import Usage
from appliance.kit.clock import parse_rfc3339


async def pod_uses(usage: Usage, pods: Sequence[Pod]) -> Mapping[str, PodUse]:
    """What each pod uses, by uid; those that nobody measured are left out."""
    return {pod.metadata.uid: _use(told) for pod, told in await usage.of_pods(pods)}


def _use(told: Mapping[str, Any]) -> PodUse:
    """Read a PodMetrics."""
    return PodUse(
        at=parse_rfc3339(told["timestamp"]),
        window_s=float(told["window"].removesuffix("s")),
        containers={
            one["name"]: {
                name: float(quantity.read(amount).value) for name, amount in one["usage"].items()
            }
            for one in told["containers"]
        },
    )
