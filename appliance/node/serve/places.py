"""Find what a stream leads to: the running container of a pod, or the pod's network namespace.

Called by `endpoints` before a connection is taken over; reads the workers' last status and looks
at the engine where that is not enough.
"""

from appliance.node.pods.everyone import every_status
from appliance.node.pods.logs import LogFault
from appliance.node.pods.worker import Worker
from appliance.node.pods.workers import Workers
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Runtime, State


def find_pod(workers: Workers, namespace: str, pod: str) -> Worker:
    """The worker of a pod.

    Raises:
        LogFault: it is not on this node.
    """
    worker = workers.find(namespace, pod)
    if worker is None:
        raise LogFault(404, f'pod "{pod}" does not run on this node')
    return worker


def running_id(workers: Workers, namespace: str, pod: str, container: str) -> str:
    """The engine's id of a running container.

    Raises:
        LogFault: there is none.
    """
    last = find_pod(workers, namespace, pod).memory.last
    for status in every_status(last):
        if status.name == container and status.state.running is not None:
            return status.containerID.partition("://")[2]
    raise LogFault(500, f'container not found ("{container}")')


async def pod_pid(workers: Workers, runtime: Runtime, namespace: str, pod: str) -> int:
    """A process inside the pod's network namespace.

    Raises:
        LogFault: nothing of the pod runs here.
    """
    uid = find_pod(workers, namespace, pod).pod.metadata.uid
    for container in await runtime.list({marks.POD_UID: uid}):
        if container.state is State.RUNNING and container.pid:
            return container.pid
    raise LogFault(500, f'pod "{pod}" is not running')
