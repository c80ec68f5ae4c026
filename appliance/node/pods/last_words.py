"""What a container said last: its termination message.

Called by the worker at each look, for dead containers. The message is the file that the container
wrote at `terminationMessagePath`; with `terminationMessagePolicy: FallbackToLogsOnError` and an
empty file, the end of its log. Each is read once and kept as long as the dead container is there.
"""

from collections.abc import Sequence

from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.pods.everyone import every_wish
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, LogOptions, Runtime, RuntimeFault, State
from appliance.node.volumes.mounter import Volumes

MESSAGE_MAX = 4096
"""Bytes of the file that are shown, as the API has it."""
LOG_MAX = 2048
LOG_LINES = 80
"""Of the log the last so many bytes and lines."""
FALLBACK = "FallbackToLogsOnError"


class LastWords:
    """Termination messages of one pod's dead containers."""

    def __init__(self, runtime: Runtime, volumes: Volumes) -> None:
        self._runtime = runtime
        self._volumes = volumes
        self._known: dict[str, str] = {}

    async def of(self, pod: Pod, seen: Sequence[Container]) -> dict[str, str]:
        """Messages by container id."""
        self._known = {
            c.id: self._known[c.id] if c.id in self._known else await self._read(pod, c)
            for c in seen
            if c.state is State.EXITED
        }
        return self._known

    async def _read(self, pod: Pod, dead: Container) -> str:
        name = dead.marks.get(marks.CONTAINER_NAME, "")
        wish = next((w for w in every_wish(pod) if w.name == name), None)
        if wish is None:
            return dead.error
        said = self._file(pod, dead, name)
        if not said and dead.exit_code != 0 and wish.terminationMessagePolicy == FALLBACK:
            said = await self._log(dead.id)
        return said or dead.error

    def _file(self, pod: Pod, dead: Container, name: str) -> str:
        path = self._volumes.folder(pod).termination_log(name, marks.restart_count(dead.marks))
        try:
            with path.open("rb") as stream:
                return stream.read(MESSAGE_MAX).decode(errors="replace")
        except OSError:
            return ""

    async def _log(self, container_id: str) -> str:
        said = b""
        try:
            async for chunk in self._runtime.logs(container_id, LogOptions(tail_lines=LOG_LINES)):
                said = (said + chunk.data)[-LOG_MAX:]
        except RuntimeFault:
            return ""  # it is being removed
        return said.decode(errors="replace")
