"""The last wish on disk: pods come back after a reboot even when the master is away.

Written by the agent when the wish changes (not when a status does: an idle node writes nothing),
read once at its start. Bounded by the number of pods of the node.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit import jsonio
from appliance.kit.atomicfile import write_atomic

log = structlog.get_logger(__name__)


class DesiredPods:
    """`pods.json` in the agent's folder."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "pods.json"
        self._written: list[tuple[str, str, bytes]] | None = None

    def load(self) -> list[Pod]:
        """The last wish; none if there is no file or it can't be read."""
        try:
            pods = msgspec.json.decode(self._path.read_bytes(), type=list[Pod])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("last wish not read", path=str(self._path), error=str(error))
            return []
        self._written = _essence(pods)
        return pods

    def save(self, pods: Sequence[Pod]) -> None:
        """Keep the wish if it changed."""
        essence = _essence(pods)
        if essence == self._written:
            return
        try:
            write_atomic(self._path, jsonio.dumps(list(pods)))
        except OSError as error:  # a full disk must not stop pods: the next change tries again
            log.warning("last wish not kept", path=str(self._path), error=str(error))
        else:
            self._written = essence


def _essence(pods: Sequence[Pod]) -> list[tuple[str, str, bytes]]:
    """What counts as a change: which pods, whether they are going, and what they are made of."""
    return sorted(
        (p.metadata.uid, p.metadata.deletionTimestamp or "", jsonio.dumps(p.spec)) for p in pods
    )
