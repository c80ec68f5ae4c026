"""What may happen to a cluster: each harm is a function of the world and of chance.

A harm returns at once; what has to be mended later (a killed process, a cut link) is put into
`world.due`, and `world.mend_all` does what is left over at the end.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import docker

from tests.lab.chaos.workloads import SCALED
from tests.lab.cluster import KUBECTL
from tests.lab.fleet import Fleet, Worker

RULES = """
import sys, time
from appliance.kit.nftables import Nft
rules, seconds = sys.argv[1:]
with Nft() as nft:
    nft.run_text(rules)
    if float(seconds):
        time.sleep(float(seconds))
        nft.run_text("delete table inet chaos")
"""
HOOKS = """
table inet chaos {{
  chain in {{ type filter hook input priority -5; {rule}; }}
  chain out {{ type filter hook output priority -5; {rule}; }}
}}
"""


@dataclass
class World:
    """The cluster, chance, and what is broken now."""

    fleet: Fleet
    rng: random.Random
    engine: docker.DockerClient
    due: list[tuple[float, str, Callable[[], None]]] = field(default_factory=list)
    """When something is to be mended, of what name, and how."""
    wanted: str = ""
    """What is to be there, as a list in JSON: what was deleted comes back as it was."""
    background: list[subprocess.Popen[Any]] = field(default_factory=list)

    def is_broken(self, name: str) -> bool:
        return any(what == name for _, what, _ in self.due)

    def later(self, seconds: float, name: str, mend: Callable[[], None]) -> None:
        self.due.append((time.monotonic() + seconds, name, mend))

    def mend_due(self) -> None:
        now = time.monotonic()
        for entry in [entry for entry in self.due if entry[0] <= now]:
            self.due.remove(entry)
            entry[2]()
        self.background = [p for p in self.background if p.poll() is None]

    def mend_all(self) -> None:
        for entry in sorted(self.due, key=lambda entry: entry[0]):
            entry[2]()
        self.due.clear()
        for process in self.background:
            process.wait(60)

    def kubectl(self, *args: str) -> None:
        """Let a command run beside us; it may fail, as things do when the master is away."""
        master = self.fleet.master
        argv = [*master.enter, KUBECTL, "--kubeconfig", str(master.kubeconfig), *args]
        null = subprocess.DEVNULL
        self.background.append(subprocess.Popen(argv, stdout=null, stderr=null))

    def restore(self) -> None:
        """Make again what has been deleted; what is there stays as it is."""
        path = self.fleet.master.data / "chaos.json"
        path.write_text(self.wanted)
        self.kubectl("create", "-f", str(path))

    def pick(self, what: str) -> str:
        """The name of one of these objects, if the master can be asked."""
        found = self.fleet.master.run("get", what, "-l", "chaos=yes", "-o", "name")
        names = found.stdout.split()
        return self.rng.choice(names) if names else ""


def delete_pod(world: World) -> None:
    if pod := world.pick("pods"):
        grace = world.rng.choice(["0", "1", ""])
        how = ["--grace-period", grace] if grace else []
        force = ["--force"] if grace == "0" else []
        world.kubectl("delete", pod, "--wait=false", *how, *force)


def kill_container(world: World) -> None:
    if containers := running(world):
        world.rng.choice(containers).kill()


def kill_agent(world: World) -> None:
    """The pods of the node run on; another agent finds them."""
    worker = world.rng.choice(list(world.fleet.workers.values()))
    if world.is_broken(worker.host.name):
        return
    kill(worker)
    world.later(world.rng.uniform(0.5, 6), worker.host.name, lambda: worker.join(world.fleet.url))


def lose_node(world: World) -> None:
    """Agent and containers are gone, as when the power is; sometimes until pods are moved."""
    worker = world.rng.choice(list(world.fleet.workers.values()))
    if world.is_broken(worker.host.name):
        return
    kill(worker)
    name = worker.host.name
    pods = world.fleet.master.run(
        "get", "pods", "--field-selector", f"spec.nodeName={name}", "-o",
        "jsonpath={.items[*].metadata.uid}",
    ).stdout.split()  # fmt: skip
    for container in running(world):
        if container.labels.get("io.kubernetes.pod.uid") in pods:
            container.kill()
    away = world.rng.choice([5, 10, 20, 70])
    world.later(away, name, lambda: worker.join(world.fleet.url))


def cut_node(world: World) -> None:
    """Its link is down: connections hang, watches end."""
    worker = world.rng.choice(list(world.fleet.workers.values()))
    if world.is_broken(worker.host.name):
        return
    cut = HOOKS.format(rule="meta iifname eth0 drop; meta oifname eth0 drop")
    rules(worker.host.enter, cut).wait(20)
    world.later(
        world.rng.choice([3, 8, 20]),
        worker.host.name,
        lambda: rules(worker.host.enter, "delete table inet chaos").wait(20),
    )


def kill_master(world: World) -> None:
    """Store, API, controllers and its own agent, in the middle of whatever they do."""
    master = world.fleet.master
    if world.is_broken("master"):
        return
    master.kill()
    world.later(world.rng.uniform(0.1, 4), "master", master.start)


def reset_connections(world: World) -> None:
    """All who talk to the API are cut off for a moment: watches must go on where they were."""
    enter = world.rng.choice([w.host.enter for w in world.fleet.workers.values()])
    enter = world.rng.choice([enter, world.fleet.master.enter])
    reset = HOOKS.format(rule=f"tcp dport {world.fleet.master.port} reject with tcp reset")
    world.background.append(rules(enter, reset, 0.7))


def scale(world: World) -> None:
    kind = world.rng.choice(SCALED)
    if one := world.pick(kind):
        world.kubectl("scale", one, f"--replicas={world.rng.randint(0, 4)}")


def roll_out(world: World) -> None:
    kind = world.rng.choice(["deployment", "daemonset", "statefulset"])
    if one := world.pick(kind):
        if world.rng.random() < 0.25:
            world.kubectl("rollout", "undo", one)
        elif world.rng.random() < 0.2:
            world.kubectl("rollout", "restart", one)
        else:
            world.kubectl("set", "env", one, f"ROUND={world.rng.randint(1, 1000)}")


def quarrel(world: World) -> None:
    """Several writers over one object."""
    if one := world.pick(world.rng.choice(SCALED)):
        for _ in range(4):
            number = world.rng.randint(0, 4)
            change = {"spec": {"replicas": number}, "metadata": {"annotations": {"n": str(number)}}}
            patch = json.dumps(change)
            world.kubectl("patch", one, "--type=merge", "-p", patch)


def relabel_pod(world: World) -> None:
    """A pod leaves its owner, who makes another; the one that left is deleted soon after."""
    if pod := world.pick("pods"):
        world.kubectl("label", pod, "app=stray", "--overwrite")
        world.later(
            world.rng.uniform(1, 5), "stray", lambda: world.kubectl(
                "delete", "pods", "-l", "app=stray", "--wait=false"),
        )  # fmt: skip


def recreate(world: World) -> None:
    """An owner is deleted, its dependents with it, orphaned or awaited, and it comes back."""
    kind = world.rng.choice((*SCALED, "daemonset", "job"))
    one = world.pick(kind)
    if not one:
        return
    body = world.fleet.master.run("get", one, "-o", "json").stdout
    if '"deletionTimestamp"' in body.split('"spec"')[0] or '"ownerReferences"' in body:
        return
    ways = ["background", "foreground", "orphan"]
    how = world.rng.choice(ways[:2] if kind == "job" else ways)  # a new job adopts no old pods
    world.kubectl("delete", one, f"--cascade={how}", "--wait=false")
    world.later(world.rng.uniform(0.5, 3), one, world.restore)


def drain(world: World) -> None:
    name = world.rng.choice(list(world.fleet.hosts))
    if world.is_broken("drain"):
        return
    world.kubectl("drain", name, "--ignore-daemonsets", "--force", "--timeout=15s")
    world.later(world.rng.uniform(5, 15), "drain", lambda: world.kubectl("uncordon", name))


HARMS: tuple[tuple[Callable[[World], None], int], ...] = (
    (delete_pod, 6),
    (kill_container, 4),
    (kill_agent, 3),
    (lose_node, 2),
    (cut_node, 2),
    (kill_master, 2),
    (reset_connections, 3),
    (scale, 5),
    (roll_out, 4),
    (quarrel, 3),
    (relabel_pod, 3),
    (recreate, 3),
    (drain, 2),
)


def kill(worker: Worker) -> None:
    if worker.process is not None and worker.process.poll() is None:
        worker.process.send_signal(signal.SIGKILL)
        worker.process.wait()


def running(world: World) -> list[Any]:
    """Containers of this cluster's pods."""
    mark = f"appliance.cluster={world.fleet.master.cluster_id}"
    return list(world.engine.containers.list(filters={"label": mark}, ignore_removed=True))


def rules(enter: tuple[str, ...], text: str, seconds: float = 0.0) -> subprocess.Popen[Any]:
    """Write packet rules in a namespace, for good or for a moment."""
    return subprocess.Popen([*enter, sys.executable, "-c", RULES, text, str(seconds)])
