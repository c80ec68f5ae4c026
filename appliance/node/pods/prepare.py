"""Get everything ready that a container is made of: volumes, files, environment.

Called by `execute`; gathers objects through `Inputs` and hands them to the pure functions.
"""

import asyncio
from pathlib import Path

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.events import PodEvents
from appliance.node.images.credentials import Keyring, keyring
from appliance.node.options import NodeOptions
from appliance.node.pods import dns
from appliance.node.pods.downward import PodFacts
from appliance.node.pods.env import MASTER_NAMESPACE, Sources, environment
from appliance.node.pods.inputs import (
    Inputs,
    env_config_maps,
    env_secrets,
    gather_claims,
    gather_config_maps,
    gather_secrets,
    volume_config_maps,
    volume_secrets,
)
from appliance.node.pods.spec import Surroundings, inside_volume
from appliance.node.runtimes.base import Mount
from appliance.node.volumes.base import Materials
from appliance.node.volumes.folders import sub_path
from appliance.node.volumes.mounter import Volumes

HOST_RESOLV_CONF = Path("/etc/resolv.conf")
TERMINATION_LOG = "/dev/termination-log"
TERMINATION_LOG_MODE = 0o666
"""Containers write it under any user."""


class Preparer:
    """Makes a pod's surroundings."""

    def __init__(
        self, volumes: Volumes, inputs: Inputs, options: NodeOptions, facts: PodFacts
    ) -> None:
        self._volumes = volumes
        self._inputs = inputs
        self._options = options
        self._facts = facts

    async def set_up_volumes(self, pod: Pod, address: str = "") -> None:
        """Set up all volumes with what the objects say now.

        Raises:
            VolumeFault: one can't be set up.
        """
        wants = self._volumes.wants_claims(pod)
        materials = Materials(
            config_maps=await gather_config_maps(self._inputs, pod, volume_config_maps(pod)),
            secrets=await gather_secrets(self._inputs, pod, volume_secrets(pod)),
            tokens=await self._inputs.tokens(pod),
            claims=await gather_claims(self._inputs, pod) if wants else {},
            facts=self._facts_of(address),
        )
        await self._volumes.set_up(pod, materials)

    async def logins(self, pod: Pod, events: PodEvents) -> Keyring:
        """What the pod's pull secrets say; a secret that is missing is told and does without."""
        names = [one.name for one in pod.spec.imagePullSecrets if one.name]
        found = await gather_secrets(self._inputs, pod, names)
        if missing := [name for name in dict.fromkeys(names) if name not in found]:
            text = (
                f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
                "attempting to pull the image may not succeed."
            )
            events.warning(pod, "FailedToRetrieveImagePullSecret", text)
        return keyring(found.values())

    def write_network_files(self, pod: Pod, address: str) -> None:
        """resolv.conf and hosts, as soon as the address is known."""
        folder = self._volumes.folder(pod)
        folder.resolv_conf.parent.mkdir(parents=True, exist_ok=True)
        cluster = dns.ClusterDns(self._options.cluster_dns, self._options.cluster_domain)
        host = dns.parse_resolv_conf(_text_of(HOST_RESOLV_CONF))
        _rewrite(folder.resolv_conf, dns.resolv_conf(dns.resolver(pod, cluster, host)))
        if not pod.spec.hostNetwork:
            _rewrite(folder.hosts, dns.hosts(pod, address, self._options.cluster_domain))

    async def surroundings(
        self, pod: Pod, wish: ContainerWish, *, address: str, attempt: int, image_user: str
    ) -> Surroundings:
        """All that a container needs.

        Raises:
            EnvironmentFault: a variable can't be made.
            SpecFault, VolumeFault: a subPath leads out of its volume.
        """
        inputs = self._inputs
        own = pod.metadata.namespace
        services = list(inputs.services(own))
        if own != MASTER_NAMESPACE:
            services.extend(inputs.services(MASTER_NAMESPACE))
        sources = Sources(
            config_maps=await gather_config_maps(inputs, pod, env_config_maps(wish)),
            secrets=await gather_secrets(inputs, pod, env_secrets(wish)),
            services=services,
            kubernetes_host=self._options.kubernetes_host,
            kubernetes_port=self._options.kubernetes_port,
        )
        variables = environment(pod, wish, sources, self._facts_of(address))
        paths = self._volumes.paths(pod)
        for mount in wish.volumeMounts:
            inside = inside_volume(mount, dict(variables))
            if inside and mount.name in paths:
                # in a thread: a server of NFS that is away would hold up all pods
                await asyncio.to_thread(sub_path, Path(paths[mount.name]), inside)
        return Surroundings(
            cluster_id=self._options.cluster_id,
            volumes=paths,
            read_only=self._volumes.read_only(pod),
            files=self._files(pod, wish, attempt),
            env=variables,
            node_memory_bytes=self._facts.node_memory_bytes,
            image_user=image_user,
        )

    def _files(self, pod: Pod, wish: ContainerWish, attempt: int) -> tuple[Mount, ...]:
        folder = self._volumes.folder(pod)
        words = folder.termination_log(wish.name, attempt)
        words.parent.mkdir(parents=True, exist_ok=True)
        words.touch()
        words.chmod(TERMINATION_LOG_MODE)
        made = [
            Mount(str(folder.resolv_conf), "/etc/resolv.conf"),
            Mount(str(words), wish.terminationMessagePath or TERMINATION_LOG),
        ]
        if not pod.spec.hostNetwork:
            made.append(Mount(str(folder.hosts), "/etc/hosts"))
        return tuple(made)

    def _facts_of(self, address: str) -> PodFacts:
        facts = self._facts
        return PodFacts(address, facts.host_ip, facts.node_cpus, facts.node_memory_bytes)


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _rewrite(path: Path, text: str) -> None:
    """In place: the file is mounted into containers, a new inode would not reach them."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    path.chmod(0o644)
