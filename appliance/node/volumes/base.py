"""What a volume needs to be set up, and where it lies.

    <the agent's data dir>/pods/<uid>/volumes/kubernetes.io~<plugin>/<name>

Set-up is idempotent: it is repeated after an agent restart, and for projected files to bring
changes of ConfigMaps and Secrets to a running pod. Tear-down removes the pod's whole folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.secret import Secret
from appliance.node.pods.downward import PodFacts

Claimed = Mapping[str, tuple[PersistentVolumeClaim, PersistentVolume | None]]
"""Claims by name, each with its volume if it is bound."""


class VolumeFault(Exception):
    """A volume can't be set up; `str()` is the message of the FailedMount event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """What projected files and claims are made of: objects of the pod's namespace by name, and
    tokens by audience ("" is the API's own).
    """

    config_maps: Mapping[str, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    facts: PodFacts = field(default_factory=PodFacts)
    claims: Claimed = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PodFolder:
    """The folder of one pod."""

    root: Path

    def volume(self, plugin: str, name: str) -> Path:
        """Where a volume of that plugin lies."""
        return self.root / "volumes" / f"kubernetes.io~{plugin}" / name

    @property
    def resolv_conf(self) -> Path:
        """The resolver's file."""
        return self.root / "etc" / "resolv.conf"

    @property
    def hosts(self) -> Path:
        """The hosts file."""
        return self.root / "etc" / "hosts"

    def termination_log(self, container: str, attempt: int) -> Path:
        """Where a container leaves its last words."""
        return self.root / "containers" / container / str(attempt)


def folder_of(data_dir: Path, pod: Pod) -> PodFolder:
    """The folder of a pod under the agent's data directory."""
    return PodFolder(data_dir / "pods" / pod.metadata.uid)
