"""Tables of Kubernetes objects for `appliance sql`, over the store's own view of current keys.

Every kind is a table named by its plural, with the same first columns; some have more of what
people ask for. What is no JSON (a secret that is encrypted) is NULL but for its name.
"""

from typing import Any

from appliance.api.kind import Kind
from appliance.api.kinds.table import KINDS

_COMMON = {
    "uid": "$.metadata.uid",
    "created": "$.metadata.creationTimestamp",
    "labels": "$.metadata.labels",
    "owner": "$.metadata.ownerReferences[0].name",
}
_MORE = {
    "pods": {
        "phase": "$.status.phase",
        "node": "$.spec.nodeName",
        "ip": "$.status.podIP",
        "image": "$.spec.containers[0].image",
    },
    "nodes": {
        "version": "$.status.nodeInfo.kubeletVersion",
        "unschedulable": "$.spec.unschedulable",
    },
    "services": {"type": "$.spec.type", "cluster_ip": "$.spec.clusterIP"},
    "replicationcontrollers": {"replicas": "$.spec.replicas", "ready": "$.status.readyReplicas"},
    "replicasets": {"replicas": "$.spec.replicas", "ready": "$.status.readyReplicas"},
    "deployments": {"replicas": "$.spec.replicas", "ready": "$.status.readyReplicas"},
    "statefulsets": {"replicas": "$.spec.replicas", "ready": "$.status.readyReplicas"},
    "events": {"reason": "$.reason", "about": "$.involvedObject.name", "message": "$.message"},
}


def sqlite_views() -> tuple[str, ...]:
    """What makes the tables in SQLite."""
    return (_OBJECTS, *map(_view, kinds()))


def kinds() -> list[Kind[Any]]:
    """Kinds by their plurals; of two with the same one the first."""
    return list({kind.plural: kind for kind in reversed(KINDS)}.values())


_OBJECTS = """CREATE TEMP TABLE objects AS SELECT key, revision,
        CASE WHEN json_valid(CAST(value AS TEXT)) THEN CAST(value AS TEXT) END AS object
        FROM current_keys WHERE key >= '/registry/' AND key < '/registry0'"""


def fields_of(kind: Kind[Any]) -> dict[str, str]:
    """Columns by name: where in the object each is."""
    return {**_COMMON, **_MORE.get(kind.plural, {})}


def _view(kind: Kind[Any]) -> str:
    prefix = kind.storage_prefix()  # of our own making: letters, dots and slashes
    rest = f"substr(key, {len(prefix) + 1})"
    name, namespace = rest, "NULL"
    if kind.namespaced:
        name = f"substr({rest}, instr({rest}, '/') + 1)"
        namespace = f"substr({rest}, 1, instr({rest}, '/') - 1)"
    columns = "".join(
        f", json_extract(object, '{path}') AS {column}" for column, path in fields_of(kind).items()
    )
    return (
        f"CREATE TEMP VIEW {kind.plural} AS SELECT {namespace} AS namespace, {name} AS name"  # noqa: S608
        f"{columns}, revision, object FROM objects"
        f" WHERE key >= '{prefix}' AND key < '{prefix[:-1]}0'"
    )
