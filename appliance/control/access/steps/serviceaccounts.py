"""Every pod is somebody: it gets a service account, and the account's token as a volume.

Source: kubernetes `plugin/pkg/admission/serviceaccount`.
"""

import random

from appliance.api.kinds.core.pod.container import Container, VolumeMount
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.volumes import (
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    KeyToPath,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from appliance.api.kinds.core.references import LocalObjectReference, ObjectFieldSelector
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.objects import generate_name
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup

MIRROR = "kubernetes.io/config.mirror"
"""Annotation of pods that show a node's own manifests: they talk to nobody."""
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
TOKEN_S = 3607
"""An hour and seven seconds: the odd number marks the tokens that were put in here."""
FILE_MODE = 0o644


class ServiceAccounts:
    """Sets spec.serviceAccountName and mounts the token."""

    def __init__(self, lookup: Lookup, rng: random.Random) -> None:
        self._lookup = lookup
        self._rng = rng

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.kind is not POD or attempt.verb != "create" or attempt.subresource:
            return
        pod: Pod = attempt.obj
        if MIRROR in pod.metadata.annotations:
            return
        pod.spec.serviceAccountName = pod.spec.serviceAccountName or "default"
        pod.spec.serviceAccount = pod.spec.serviceAccountName
        account = await self._account(attempt, pod.spec.serviceAccountName)
        if _wants_token(pod, account):
            self._mount(pod)
        if not pod.spec.imagePullSecrets:
            pod.spec.imagePullSecrets = [
                LocalObjectReference(name=s.name) for s in account.imagePullSecrets
            ]

    async def _account(self, attempt: Attempt, name: str) -> ServiceAccount:
        account = await self._lookup.find(SERVICE_ACCOUNT, attempt.namespace, name)
        if account is None:
            raise attempt.forbid(
                f"error looking up service account {attempt.namespace}/{name}: "
                f'serviceaccount "{name}" not found'
            )
        return account

    def _mount(self, pod: Pod) -> None:
        spec = pod.spec
        present = next((v.name for v in spec.volumes if v.name.startswith(VOLUME_PREFIX)), "")
        name = present or generate_name(VOLUME_PREFIX, self._rng)
        added = [_add_mount(c, name) for c in (*spec.initContainers, *(spec.containers or []))]
        if any(added) and not present:
            spec.volumes = [*spec.volumes, _token_volume(name)]


def _wants_token(pod: Pod, account: ServiceAccount) -> bool:
    for wish in (pod.spec.automountServiceAccountToken, account.automountServiceAccountToken):
        if wish is not None:
            return wish
    return True


def _add_mount(container: Container, volume: str) -> bool:
    """Mount the token unless the user put something else there."""
    if any(m.mountPath == MOUNT_PATH for m in container.volumeMounts):
        return False
    mount = VolumeMount(name=volume, readOnly=True, mountPath=MOUNT_PATH)
    container.volumeMounts = [*container.volumeMounts, mount]
    return True


def _token_volume(name: str) -> Volume:
    namespace = DownwardAPIVolumeFile(
        path="namespace",
        fieldRef=ObjectFieldSelector(apiVersion="v1", fieldPath="metadata.namespace"),
    )
    sources = [
        VolumeProjection(
            serviceAccountToken=ServiceAccountTokenProjection(
                path="token", expirationSeconds=TOKEN_S
            )
        ),
        _from_config_map("kube-root-ca.crt", "ca.crt"),
        VolumeProjection(downwardAPI=DownwardAPIProjection(items=[namespace])),
        # the recorded server has this one too; a node that finds no such ConfigMap leaves it out
        _from_config_map("openshift-service-ca.crt", "service-ca.crt"),
    ]
    return Volume(
        name=name, projected=ProjectedVolumeSource(sources=sources, defaultMode=FILE_MODE)
    )


def _from_config_map(name: str, key: str) -> VolumeProjection:
    return VolumeProjection(
        configMap=ConfigMapProjection(name=name, items=[KeyToPath(key=key, path=key)])
    )
