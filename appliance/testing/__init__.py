"""Clusters in containers, for tests: `ApplianceContainer`, `ApplianceCluster`, a pytest plugin.

    from appliance.testing import ApplianceCluster

    with ApplianceCluster(agents=2) as cluster:
        cluster.apply(Path("shop.yaml"))

Needs the extra: `pip install appliance[testing]`. Names are imported when they are asked for, so
that the plugin costs nothing where no cluster is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.testing.api import Api, ApiFault
    from appliance.testing.cluster import ApplianceCluster, Node
    from appliance.testing.container import ApplianceContainer
    from appliance.testing.node import NodeFailed
    from appliance.testing.nodeimage.script import python_image

__all__ = [
    "Api",
    "ApiFault",
    "ApplianceCluster",
    "ApplianceContainer",
    "Node",
    "NodeFailed",
    "python_image",
]

_PLACES = {
    "Api": "api",
    "ApiFault": "api",
    "ApplianceCluster": "cluster",
    "ApplianceContainer": "container",
    "Node": "cluster",
    "NodeFailed": "node",
    "python_image": "nodeimage.script",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
