"""Objects as upstream prints them inside error messages: with the names of its Go structs.

Called by validation where a message shows a whole struct, or what changed between two.
Example: `{"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}`.
"""

import difflib
from typing import Any

import msgspec

from appliance.api.schema import Message

_INITIALISMS = (
    *("api", "aws", "csi", "dns", "fc", "gce", "grpc", "http"),
    *("ip", "iscsi", "nfs", "os", "rbd", "tcp", "tty", "uid"),
)
_SPECIAL = {
    "seLinuxOptions": "SELinuxOptions",
    "seLinuxChangePolicy": "SELinuxChangePolicy",
    "fsGroup": "FSGroup",
    "fsGroupChangePolicy": "FSGroupChangePolicy",
    "fsType": "FSType",
    "cephfs": "CephFS",
    "storageos": "StorageOS",
    "httpGet": "HTTPGet",
    "httpHeaders": "HTTPHeaders",
}


_VOLUME_SOURCES = (
    *("hostPath", "emptyDir", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "secret"),
    *("nfs", "iscsi", "glusterfs", "persistentVolumeClaim", "rbd", "quobyte", "flexVolume"),
    *("cinder", "cephfs", "flocker", "downwardAPI", "fc", "azureFile", "configMap"),
    *("vsphereVolume", "azureDisk", "photonPersistentDisk", "projected", "portworxVolume"),
    *("scaleIO", "storageos", "csi", "ephemeral", "image"),
)
_HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
"""Upstream's inner form keeps these in the security context of the pod."""

_ORDER = {
    "Volume": ("name", *_VOLUME_SOURCES),
    "PodSpec": (
        *("volumes", "initContainers", "containers", "ephemeralContainers", "restartPolicy"),
        *("terminationGracePeriodSeconds", "activeDeadlineSeconds", "dnsPolicy", "nodeSelector"),
        *("serviceAccountName", "automountServiceAccountToken", "nodeName", "securityContext"),
        *("imagePullSecrets", "hostname", "subdomain", "setHostnameAsFQDN", "affinity"),
        *("schedulerName", "tolerations", "hostAliases", "priorityClassName", "priority"),
        *("preemptionPolicy", "dnsConfig", "readinessGates", "runtimeClassName", "overhead"),
        *("enableServiceLinks", "topologySpreadConstraints", "os", "schedulingGates"),
        *("resourceClaims", "resources", "hostnameOverride", "schedulingGroup"),
    ),
    "PodSecurityContext": (
        *("seLinuxOptions", "windowsOptions", "runAsUser", "runAsGroup", "runAsNonRoot"),
        *("supplementalGroups", "supplementalGroupsPolicy", "fsGroup", "fsGroupChangePolicy"),
        *("sysctls", "seccompProfile", "appArmorProfile", "seLinuxChangePolicy"),
    ),
}
"""Order of fields in the inner form where it is not that of v1."""


def internal_form(value: Any) -> Any:
    """Turn a struct into plain data as Go would print it: nothing is left out, empty is null."""
    if isinstance(value, Message):
        names = _ORDER.get(type(value).__name__, value.__struct_fields__)
        plain = {_go_name(n): internal_form(getattr(value, n)) for n in names}
        if type(value).__name__ == "PodSpec" and plain["SecurityContext"] is not None:
            outer = {_go_name(n): internal_form(getattr(value, n)) for n in _HOST_NAMESPACES}
            plain["SecurityContext"] = outer | plain["SecurityContext"]
        return plain
    if isinstance(value, list):
        return [internal_form(v) for v in value] or None
    if isinstance(value, dict):
        return {k: value[k] for k in sorted(value)} or None
    return value


def difference(old: Message, new: Message) -> str:
    """Give the lines that differ, with three lines of context, as `diff -u` has it."""
    before, after = (_lines(value) for value in (old, new))
    changes = list(difflib.unified_diff(before, after, lineterm="\n"))[2:]
    return "".join(changes)


def _lines(value: Message) -> list[str]:
    packed = msgspec.json.encode(internal_form(value))
    return msgspec.json.format(packed, indent=1).decode().splitlines(keepends=True)


def _go_name(name: str) -> str:
    if name in _SPECIAL:
        return _SPECIAL[name]
    for word in _INITIALISMS:
        rest = name.removeprefix(word)
        if rest != name and (not rest or rest[0].isupper() or rest == "s"):
            return word.upper() + rest
    return name[0].upper() + name[1:]
