"""A node's price: `python -m bench.node [--engine docker|podman] [--rounds 5] [--json FILE]`.

Starts a whole cluster (server and agent as processes) on the engine and measures side by side, in
one run:

* a pod from the POST of its object until a watch shows it Ready, against the engine's own API
  making the very same two containers (sandbox and container, same mounts, limits and labels) from
  threads: one at a time, and 30 at once. The bare row exists twice for 30: with a thread per pod,
  and with 4 threads, which is the quickest that this engine does. No clock starts before the
  other's work has ended.
* Docker Swarm: `docker service create --replicas 30` on an engine of its own (a dockerd in its own
  network namespace), until 30 tasks run: one container each, no sandbox.
* the agent's memory, processor time and writes with 50 pods whose readiness probes ask every 10 s.

Needs root and an engine; `--only starts,swarm,idle` picks parts.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance.client.http import HttpClient
from appliance.client.kubeconfig import read_kubeconfig
from appliance.node.runtimes.detect import default_endpoint
from bench.node import swarm
from bench.node.idle import idle
from bench.node.starts import starts
from tests.lab import shell_image
from tests.lab.cluster import Cluster

Figures = dict[str, Any]


def shown(name: str, seconds: Sequence[float]) -> None:
    """One line: median, spread."""
    p50 = statistics.median(seconds)
    print(f"{name:58} p50 {p50 * 1000:8.0f} ms   {min(seconds):.2f} to {max(seconds):.2f} s")


async def on_cluster(cluster: Cluster, options: argparse.Namespace) -> Figures:
    """The parts that need our node."""
    figures: Figures = {}
    client = HttpClient(read_kubeconfig(cluster.kubeconfig))
    try:
        if "starts" in options.only:
            figures |= await starts(cluster, client, options.rounds, options.pods)
        if "idle" in options.only:
            figures |= await idle(cluster, client, options.idle_s)
    finally:
        await client.close()
    return figures


def ours(options: argparse.Namespace) -> Figures:
    """On a cluster that is made for this and leaves nothing."""
    shell_image.load(options.engine)
    with tempfile.TemporaryDirectory(prefix="bench-node-") as folder:
        cluster = Cluster(Path(folder), options.engine, default_endpoint(options.engine))
        try:
            cluster.start()
            return asyncio.run(on_cluster(cluster, options))
        finally:
            cluster.stop()
            cluster.reset()


def report(figures: Figures) -> None:
    """The table."""
    for name, found in figures.items():
        if isinstance(found, list):
            shown(name, found)
        elif isinstance(found, float):
            print(f"{name:58} {found:12.2f}")


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="docker", choices=("docker", "podman"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pods", type=int, default=30)
    parser.add_argument("--idle-s", type=float, default=60.0)
    parser.add_argument("--only", default="starts,swarm,idle")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.only = options.only.split(",")
    figures: Figures = {}
    if "starts" in options.only or "idle" in options.only:
        figures |= ours(options)
    if "swarm" in options.only and options.engine == "docker":
        figures |= swarm.measured(options.pods, min(options.rounds, 3))
    report(figures)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
