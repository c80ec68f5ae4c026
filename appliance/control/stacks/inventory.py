"""What a stack put into the cluster: kept in a ConfigMap, so that it can be taken out again. Pure.

`kubectl -n kube-system get configmaps -l appliance.local/stack` lists them: `state` is Applied or
Failing, `message` says why, `objects` has a line for each object.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from appliance.api.kind import Kind
from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.meta import ObjectMeta

NAMESPACE = "kube-system"
MARK = "appliance.local/stack"
"""Label of the ConfigMap, annotation of every object of the stack: the stack's name."""
PREFIX = "stack-"
APPLYING, APPLIED, FAILING = "Applying", "Applied", "Failing"
_ANY = "*"

_FIRST = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
)
"""Applied in this order, what others stand on before them; taken out the other way round."""
_RANK = {kind: rank for rank, kind in enumerate(_FIRST)}


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """Names one object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        """A line of the inventory."""
        return f"{self.api_version} {self.kind} {self.namespace or _ANY}/{self.name}"


def rank(kind: str) -> int:
    """How early an object of a kind is applied."""
    return _RANK.get(kind, len(_RANK))


def thing_of(kind: Kind[Any], body: dict[str, Any]) -> Thing:
    """Name the object of a manifest; `body` has a name and its namespace."""
    meta = body["metadata"]
    return Thing(kind.api_version, kind.kind, meta.get("namespace", ""), meta["name"])


def things_in(record: ConfigMap | None) -> list[Thing]:
    """Read an inventory."""
    lines = record.data.get("objects", "").splitlines() if record is not None else ()
    return [_thing(line) for line in lines]


def _thing(line: str) -> Thing:
    api_version, kind, place = line.split(" ", 2)
    namespace, name = place.split("/", 1)
    return Thing(api_version, kind, "" if namespace == _ANY else namespace, name)


def record_of(
    name: str, files: Sequence[str], things: Iterable[Thing], faults: Sequence[str] | None = None
) -> ConfigMap:
    """Make the ConfigMap of a stack; without word of faults, of one that is about to be applied."""
    data = {
        "files": "\n".join(files),
        "objects": "\n".join(str(thing) for thing in sorted(set(things))),
        "state": APPLYING if faults is None else FAILING if faults else APPLIED,
    }
    if faults:
        data["message"] = "\n".join(faults)
    meta = ObjectMeta(name=PREFIX + name, namespace=NAMESPACE, labels={MARK: name})
    return ConfigMap(metadata=meta, data=data)


def stack_of(record: ConfigMap) -> list[str]:
    """The stack that a ConfigMap is the inventory of; none for all others."""
    if record.metadata.namespace != NAMESPACE:
        return []
    name = record.metadata.labels.get(MARK, "")
    return [name] if record.metadata.name == PREFIX + name else []
