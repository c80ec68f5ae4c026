"""Take back what a cluster made on this host: containers, links, rules, mounts, and its data."""

import asyncio
import shutil

import structlog

from appliance.assembly.ingress import proxy_of
from appliance.assembly.place import find_place
from appliance.assembly.worker import open_network, relay_options
from appliance.config.schema import Config
from appliance.kit.clock import SystemClock
from appliance.kit.nftables import nft_usable
from appliance.node.network.policies.kernel import KernelGuard
from appliance.node.network.wiring import Wiring
from appliance.node.runtimes.base import Runtime, Unreachable
from appliance.node.runtimes.detect import open_runtime
from appliance.node.runtimes.marks import CLUSTER, ROLE, ROLE_SANDBOX
from appliance.node.volumes.mounts import unmount_all
from appliance.proxy.backends.nftables import NftablesBackend
from appliance.proxy.backends.userspace import UserspaceBackend

log = structlog.get_logger(__name__)

_STOP_GRACE_S = 2.0


async def reset(config: Config, *, keep_data: bool) -> list[str]:
    """Remove everything that carries the cluster's id; returns what could not be looked at."""
    if not (config.data / "cluster-id").exists():
        return [f"there is no cluster under {config.data_dir}"]
    place = find_place(config)
    clock = SystemClock()
    problems: list[str] = []
    for kind in ("docker", "podman") if config.runtime == "auto" else (config.runtime,):
        try:
            runtime = await open_runtime(kind, config.runtime_endpoint, clock)
        except Unreachable as fault:
            if config.runtime != "auto":
                problems.append(str(fault))
            continue
        try:
            await _remove_containers(runtime, place.cluster_id)
        finally:
            await runtime.close()
    await proxy_of(config).stop()
    await open_network(config, place).clean_up()
    await Wiring(place.cluster_id).clean_up()
    await UserspaceBackend(relay_options(config, place), clock=clock).clean_up()
    if not nft_usable():
        await NftablesBackend(place.cluster_id).clean_up()
        await KernelGuard(place.cluster_id).clean_up()
    await unmount_all(config.data)  # what is mounted in a volume is not ours to remove
    if not keep_data:
        shutil.rmtree(config.data)
    else:
        shutil.rmtree(config.data / "agent" / "pods", ignore_errors=True)
    return problems


async def _remove_containers(runtime: Runtime, cluster_id: str) -> None:
    async def remove(container_id: str) -> None:
        await runtime.stop(container_id, _STOP_GRACE_S)
        await runtime.remove(container_id)

    found = await runtime.list({CLUSTER: cluster_id})
    # Sandboxes last: Podman takes what joined one down with it, and two removals of the same
    # container at once leave it stuck, 4.3 for ever.
    boxes = [c for c in found if c.marks.get(ROLE) == ROLE_SANDBOX]
    for group in ([c for c in found if c not in boxes], boxes):
        await asyncio.gather(*(remove(container.id) for container in group))
    log.info("removed", containers=len(found))
