"""What runs here and whether it is ready; waits for it if asked to."""

from dataclasses import dataclass, replace

from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import POD
from appliance.assembly.joining import read_joined
from appliance.assembly.nodeclient import open_client
from appliance.client.base import EVERYWHERE, Where
from appliance.client.http import HttpClient
from appliance.client.kubeconfig import KubeconfigError, read_kubeconfig
from appliance.config.schema import Config
from appliance.kit.clock import Clock, SystemClock

_RETRY_S = 0.2  # from outside there is no event for "the server listens now"


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node as a user sees it."""

    name: str
    ready: bool
    address: str
    version: str
    runtime: str


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a cluster; `problem` says what is wrong and what to do, "" when all is well."""

    problem: str = ""
    nodes: tuple[NodeState, ...] = ()
    pods: int = 0
    pods_running: int = 0


async def report(config: Config, *, wait_s: float = 0.0) -> Report:
    """Look at the cluster of a data directory; wait up to `wait_s` for it to be well."""
    clock: Clock = SystemClock()
    end = clock.monotonic() + wait_s
    found = await _look(config)
    while found.problem and clock.monotonic() < end:
        await clock.sleep(_RETRY_S)
        found = await _look(config)
    return found


async def _look(config: Config) -> Report:
    try:
        client, own = _client(config)
    except (KubeconfigError, OSError) as wrong:
        return Report(str(wrong))
    if client is None:
        return Report(
            f"there is no cluster under {config.data_dir}; start `appliance server`, or "
            "`appliance join` one"
        )
    try:
        nodes = (await client.list(NODE)).items
        pods = (await client.list(POD, own)).items
    except Exception as error:  # noqa: BLE001 - whatever keeps the API from answering is the news
        return Report(f"the API server does not answer: {error}; is `appliance server` running?")
    finally:
        await client.close()
    states = tuple(_state(node) for node in nodes)
    waiting = [s.name for s in states if not s.ready]
    problem = ""
    if waiting:
        problem = f"not ready: {', '.join(waiting)}; see `appliance kubectl describe node`"
    elif not states and not config.disable_agent:
        problem = "no node has registered yet"
    running = sum(1 for pod in pods if pod.status.phase == "Running")
    return Report(problem, states, len(pods), running)


def _client(config: Config) -> tuple[HttpClient | None, Where]:
    """As the administrator on a master, as the node, which sees its own pods, on a worker."""
    path = config.data / "server" / "admin.kubeconfig"
    if path.exists():
        return HttpClient(read_kubeconfig(path)), EVERYWHERE
    joined = read_joined(config.data)
    if joined is None:
        return None, EVERYWHERE
    own = Where(fields=f"spec.nodeName={joined.node_name}")
    return open_client(replace(config, server=joined.server)), own


def _state(node: Node) -> NodeState:
    ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)
    addresses = [a.address for a in node.status.addresses if a.type == "InternalIP"]
    info = node.status.nodeInfo
    return NodeState(
        name=node.metadata.name,
        ready=ready,
        address=addresses[0] if addresses else "",
        version=info.kubeletVersion,
        runtime=info.containerRuntimeVersion,
    )
