"""Pure: the manifests of 2014 (`version: v1beta1`) → the same pod in today's words.

Called by `manifest`. A ContainerManifest lists containers and volumes; there is no metadata and no
spec. Field rules as the first documentation has them; what no longer exists is refused by name
rather than dropped, so that nobody runs half of what they wrote.
"""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

VERSIONS = frozenset({"v1beta1", "v1beta2"})
PULL_POLICIES = {
    "PullAlways": "Always",
    "PullNever": "Never",
    "PullIfNotPresent": "IfNotPresent",
}
RESTART_POLICIES = {"always": "Always", "onFailure": "OnFailure", "never": "Never"}
_DISK_FIELDS = ("pdName", "fsType", "partition", "readOnly")


class OldFault(Exception):
    """A manifest of 2014 that can't be turned; `str()` names the field."""


def is_old(document: Json) -> bool:
    """Whether a document is a manifest of the old form."""
    return str(document.get("version", "")).lower() in VERSIONS and "spec" not in document


def pod_of_manifest(old: Json, labels: Json | None = None) -> dict[str, Any]:
    """A ContainerManifest as the body of a v1 Pod.

    Raises:
        OldFault: a field has no counterpart, or is none.
    """
    name = old.get("id")
    if not name:
        raise OldFault("id: required, it becomes the pod's name")
    spec: dict[str, Any] = {
        "containers": [_container(c) for c in _list(old, "containers")],
        "volumes": [_volume(v) for v in _list(old, "volumes")],
        "restartPolicy": _restart_policy(old.get("restartPolicy")),
        "dnsPolicy": old.get("dnsPolicy") or "ClusterFirst",
    }
    metadata: dict[str, Any] = {"name": name}
    if old.get("namespace"):
        metadata["namespace"] = old["namespace"]
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def pod_of_old_pod(old: Json) -> dict[str, Any]:
    """A v1beta1 Pod, which wraps a manifest, as the body of a v1 Pod.

    Raises:
        OldFault: it has no manifest, or the manifest can't be turned.
    """
    manifest = (old.get("desiredState") or {}).get("manifest")
    if not isinstance(manifest, Mapping):
        raise OldFault("desiredState.manifest: required")
    return pod_of_manifest(
        {**manifest, "id": old.get("id") or manifest.get("id")}, old.get("labels")
    )


def _list(holder: Json, field: str) -> list[Json]:
    found = holder.get(field) or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise OldFault(f"{field}: must be a list of objects")
    return found


def _restart_policy(policy: Any) -> str:
    """An object with exactly one key; later manifests have today's words."""
    if not policy:
        return "Always"
    if isinstance(policy, str):
        return policy
    names = [name for name in policy if name in RESTART_POLICIES]
    if len(names) != 1 or len(policy) != 1:
        raise OldFault(f"restartPolicy: one of {', '.join(RESTART_POLICIES)}, not {list(policy)}")
    return RESTART_POLICIES[names[0]]


def _container(old: Json) -> dict[str, Any]:
    simple = ("name", "image", "command", "workingDir", "terminationMessagePath", "lifecycle")
    made: dict[str, Any] = {name: old[name] for name in simple if old.get(name)}
    if old.get("lifecycle"):
        made["lifecycle"] = {n: _handler(h) for n, h in old["lifecycle"].items() if h}
    made["ports"] = [dict(port) for port in _list(old, "ports")]
    made["env"] = [
        {"name": e.get("name") or e.get("key", ""), "value": str(e.get("value", ""))}
        for e in _list(old, "env")
    ]
    made["volumeMounts"] = [_mount(m) for m in _list(old, "volumeMounts")]
    if old.get("imagePullPolicy"):
        policy = old["imagePullPolicy"]
        made["imagePullPolicy"] = PULL_POLICIES.get(policy, policy)
    if old.get("privileged"):
        made["securityContext"] = {"privileged": True}
    if old.get("livenessProbe"):
        probe = _probe(old["livenessProbe"])
        made |= {"livenessProbe": probe} if probe else {}
    limits = {
        name: f"{old[name]}{unit}" for name, unit in (("cpu", "m"), ("memory", "")) if old.get(name)
    }
    if limits:
        # cpu was a share and never a cap, memory a cap.
        made["resources"] = {
            "requests": limits,
            "limits": {n: v for n, v in limits.items() if n == "memory"},
        }
    return made


def _mount(old: Json) -> dict[str, Any]:
    return {
        "name": old.get("name", ""),
        "mountPath": old.get("mountPath") or old.get("path", ""),
        "readOnly": bool(old.get("readOnly")),
    }


def _probe(old: Json) -> dict[str, Any] | None:
    """`enabled` and `type` only repeat what the handler says, but `enabled: false` counts."""
    if old.get("enabled") is False:
        return None
    made = _handler(old)
    if not made:
        raise OldFault("livenessProbe: one of httpGet, tcpSocket, exec")
    for name in ("initialDelaySeconds", "timeoutSeconds"):
        if old.get(name):
            made[name] = old[name]
    return made


def _handler(old: Json) -> dict[str, Any]:
    return {n: dict(old[n]) for n in ("httpGet", "tcpSocket", "exec") if old.get(n)}


def _volume(old: Json) -> dict[str, Any]:
    source = {name: what for name, what in (old.get("source") or {}).items() if what is not None}
    if len(source) > 1:
        raise OldFault(f"volumes[{old.get('name')}].source: exactly one, not {sorted(source)}")
    kind, what = next(iter(source.items()), ("emptyDir", {}))
    return {"name": old.get("name", ""), **_source(kind, what)}


def _source(kind: str, what: Json) -> dict[str, Any]:
    match kind:
        case "emptyDir" | "emptyDirectory":
            return {"emptyDir": {}}
        case "hostDir" | "hostDirectory":
            return {"hostPath": {"path": what.get("path", "")}}
        case "persistentDisk" | "gcePersistentDisk":
            disk = {name: what[name] for name in _DISK_FIELDS if name in what}
            return {"gcePersistentDisk": disk}
        case "gitRepo":
            return {"gitRepo": dict(what)}
        case _:
            raise OldFault(f"volumes source {kind}: not known")
