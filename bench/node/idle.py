"""What the agent costs while nothing happens: 50 pods, each asked by a probe every 10 s."""

import time
from typing import Any

from appliance.api.kinds.core.pod.container import Container as Wish
from appliance.api.kinds.core.pod.handlers import ExecAction, HTTPGetAction, Probe
from appliance.client.base import Client
from appliance.kit.clock import SystemClock
from appliance.node.runtimes.detect import open_runtime
from bench.node.processes import used
from bench.node.starts import clear, pod_of, through_api
from tests.lab.cluster import Cluster
from tests.lab.shell_image import SHELL

PODS = 50
PERIOD_S = 10
SETTLE_S = 20.0
SERVE = "mkdir /tmp/w; echo ok > /tmp/w/index.html; exec httpd -f -p 80 -h /tmp/w"
PROBES = {
    "httpGet": Probe(httpGet=HTTPGetAction(path="/", port=80), periodSeconds=PERIOD_S),
    "exec": Probe(exec=ExecAction(command=["true"]), periodSeconds=PERIOD_S),
}


async def idle(cluster: Cluster, client: Client, seconds: float) -> dict[str, Any]:
    """Both kinds of probes, one after the other."""
    clock, figures = SystemClock(), {}
    runtime = await open_runtime(cluster.runtime, "", clock)
    server = cluster.process.pid if cluster.process is not None else 0
    try:
        for kind, probe in PROBES.items():
            pods = [pod_of(cluster.node) for _ in range(PODS)]
            for pod in pods:
                pod.spec.containers = [
                    Wish(
                        name="web",
                        image=SHELL,
                        imagePullPolicy="Never",
                        command=["sh", "-c", SERVE],
                        readinessProbe=probe,
                    )
                ]
            begun = time.perf_counter()
            await through_api(client, pods)
            figures[f"{cluster.runtime}: {PODS} pods Ready, s"] = time.perf_counter() - begun
            await clock.sleep(SETTLE_S)
            agent = cluster.agent_pid()
            before, master = used(agent), used(server)
            await clock.sleep(seconds)
            after, master_after = used(agent), used(server)
            head = f"{cluster.runtime}: {PODS} pods, {kind} probes"
            figures |= {
                f"{head}: agent RSS, MB": after[2] / 1e6,
                f"{head}: agent CPU, % of a core": (after[0] - before[0]) / seconds * 100,
                f"{head}: agent disk writes, B/s": (after[1] - before[1]) / seconds,
                f"{head}: server CPU, % of a core": (master_after[0] - master[0]) / seconds * 100,
                f"{head}: server disk writes, B/s": (master_after[1] - master[1]) / seconds,
            }
            await clear(client, runtime, cluster.cluster_id)
    finally:
        await runtime.close()
    return figures
