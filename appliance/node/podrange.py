"""Which share of the pod range this node has: from the API once, then from disk.

`assembly` asks before it sets up the network. At a node's very first start its Node is made here
and the master allots a share within milliseconds; from then on a start needs no master. That the
share is still ours is checked by the loop of `network/peers.py`.
Bounded by: nothing but the master's answer; without a share no pod can have an address.
"""

from pathlib import Path

import structlog

from appliance.api.errors import AlreadyExists, ApiError
from appliance.api.kinds.core.node import NODE, Node
from appliance.client.base import Client, Where
from appliance.kit.atomicfile import write_atomic
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock

log = structlog.get_logger(__name__)

PAUSES = Backoff(base_s=0.2, maximum_s=5.0)
_FILE = "pod-cidr"


def kept_range(data_dir: Path) -> str:
    """The share that this node had last, "" if it never had one."""
    try:
        return (data_dir / _FILE).read_text().strip()
    except FileNotFoundError:
        return ""


def keep_range(data_dir: Path, pod_cidr: str) -> None:
    """Remember a share."""
    write_atomic(data_dir / _FILE, pod_cidr.encode() + b"\n", mode=0o644)


async def own_range(client: Client, fresh: Node, *, data_dir: Path, clock: Clock) -> str:
    """The node's share; registers `fresh` and waits for the master if there is none yet."""
    if kept := kept_range(data_dir):
        return kept
    failures = 0
    while True:
        try:
            found = await _allotted(client, fresh)
        except ApiError as error:
            failures += 1
            pause = PAUSES.delay(failures)
            log.warning("no pod range yet", error=str(error), again_in_s=pause)
            await clock.sleep(pause)
            continue
        if found:
            keep_range(data_dir, found)
            return found
        log.warning("the master has not allotted a pod range yet; is it out of shares?")


async def _allotted(client: Client, fresh: Node) -> str:
    """Make the Node if need be and watch it until it has a share, or the watch ends."""
    name = fresh.metadata.name
    try:
        node = await client.create(NODE, fresh)
    except AlreadyExists:
        node = await client.get(NODE, name)
    if node.spec.podCIDR:
        return node.spec.podCIDR
    where = Where(fields=f"metadata.name={name}")
    async for event in client.watch(NODE, where, since=node.metadata.resourceVersion):
        if event.object.spec.podCIDR:
            return event.object.spec.podCIDR
    return ""
