"""Run in a network namespace of its own: a pod network beside a Docker that drops strangers.

    unshare -n python -m tests.contract.behind_docker <folder>

Prints what the foreign filter holds while the network is up; ends badly if pods don't reach one
another or anything is left behind. Started by `test_network.py`.
"""

import asyncio
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from appliance.kit.netns import socket_inside
from appliance.kit.nftables import Nft
from appliance.node.network.base import PodLink
from appliance.node.network.bridge import BridgeNetwork

DOCKERS_RULES = """
table ip filter {
  chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
  chain DOCKER-USER { return; }
}
"""


def sandbox(stack: ExitStack) -> int:
    argv = ["unshare", "-n", "sh", "-c", "echo; exec sleep 60"]
    process = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE))
    stack.callback(process.kill)
    assert process.stdout is not None
    process.stdout.readline()
    return process.pid


async def reach(pids: list[int], network: BridgeNetwork) -> None:
    addresses = [(await network.attach(PodLink(pod_uid=str(pid), pid=pid))).address for pid in pids]
    with await socket_inside(pids[0]) as listening, await socket_inside(pids[1]) as asking:
        listening.bind((addresses[0], 80))
        listening.listen()
        asking.settimeout(5)
        asking.connect((addresses[0], 80))


async def main(folder: Path) -> None:
    with Nft() as nft, ExitStack() as stack:
        nft.run_text(DOCKERS_RULES)
        before = nft.run_text("list table ip filter")
        network = BridgeNetwork("0a0b", cluster_cidr="10.42.0.0/16", data_dir=folder)
        for _ in range(2):
            await network.set_up("10.42.0.0/24")
        await reach([sandbox(stack), sandbox(stack)], network)
        sys.stdout.write(nft.run_text("list chain ip filter DOCKER-USER"))
        await network.clean_up()
        assert nft.run_text("list table ip filter") == before


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
