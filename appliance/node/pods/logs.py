"""Find and read the log of a container of a pod.

Called by the node's HTTPS API. Which container is meant follows from the pod's last status, as
kubelets have it: the running one; in a crash loop the one that ended last; with `previous` the
one before the running one. Nothing is kept: a follow lasts as long as its reader.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from appliance.api.kinds.core.pod.status import ContainerState, ContainerStatus
from appliance.node.pods.everyone import every_status
from appliance.node.pods.worker import Worker
from appliance.node.runtimes.base import LogOptions, Runtime


class LogFault(Exception):
    """There is no such log; `code` is the HTTP code, `str()` the message that kubectl prints."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """Which log, and which part of it."""

    container: str
    previous: bool = False
    limit_bytes: int | None = None
    options: LogOptions


def choose(worker: Worker, request: LogRequest) -> str:
    """The id of the container whose log is meant.

    Raises:
        LogFault: there is none yet, or none any more.
    """
    pod = worker.pod.metadata.name
    status = _status_of(worker, request.container)
    if status is None:
        text = f"container {request.container} is not valid for pod {pod}"
        raise LogFault(400, text)
    last = _terminated_id(status.lastState)
    if request.previous:
        if not last:
            raise LogFault(
                400,
                f'previous terminated container "{request.container}" in pod "{pod}" not found',
            )
        return last
    if status.state.waiting is not None:
        if last:
            return last
        raise LogFault(400, _waiting_text(status, pod))
    return _bare(status.containerID)


async def read(runtime: Runtime, container_id: str, request: LogRequest) -> AsyncIterator[bytes]:
    """The log's bytes, both streams together, cut at `limit_bytes`."""
    left = request.limit_bytes
    async for chunk in runtime.logs(container_id, request.options):
        data = chunk.data if left is None else chunk.data[:left]
        if data:
            yield data
        if left is not None:
            left -= len(data)
            if left <= 0:
                return


def _status_of(worker: Worker, container: str) -> ContainerStatus | None:
    return next((s for s in every_status(worker.memory.last) if s.name == container), None)


def _terminated_id(state: ContainerState) -> str:
    return _bare(state.terminated.containerID) if state.terminated is not None else ""


def _bare(container_id: str) -> str:
    return container_id.partition("://")[2]


def _waiting_text(status: ContainerStatus, pod: str) -> str:
    reason = status.state.waiting.reason if status.state.waiting is not None else ""
    start = f'container "{status.name}" in pod "{pod}" is waiting to start: '
    if reason == "ErrImagePull":
        return start + "image can't be pulled"
    if reason == "ImagePullBackOff":
        return start + "trying and failing to pull image"
    return start + (reason or "ContainerCreating")
