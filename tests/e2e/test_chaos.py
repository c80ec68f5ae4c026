"""Everything at once goes wrong for a while; afterwards all is as wanted. `make chaos`.

CHAOS_S seconds of random harm (SEED says which) over all workload kinds on three nodes; then
within CALM_S desired must equal actual, without orphan or duplicate, and nobody writes any more.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from appliance.node.runtimes.detect import default_endpoint
from tests.e2e.conftest import prepare
from tests.e2e.test_idle import objects
from tests.lab import shell_image
from tests.lab.chaos.harm import HARMS, World
from tests.lab.chaos.judge import faults
from tests.lab.chaos.workloads import manifests
from tests.lab.cluster import eventually
from tests.lab.fleet import Fleet
from tests.lab.netns import can_make_namespaces

CHAOS_S = float(os.environ.get("CHAOS_S", "60"))
SEED = int(os.environ.get("SEED", "1"))
CALM_S = 30.0
QUIET_S = 20.0
"""So long nothing may be written at the end."""
BACK_S = 60.0
"""For nodes to be Ready again once they are mended: joining is not what is judged."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(int(CHAOS_S) + 420)]


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not can_make_namespaces():
        pytest.skip("needs root and ip")
    if why := asyncio.run(prepare("docker")):
        pytest.skip(why)
    shell_image.load("docker")
    endpoint = default_endpoint("docker")
    engine = docker.DockerClient(base_url=endpoint)
    made = Fleet(tmp_path_factory.mktemp("chaos"), "docker", endpoint)
    chance = random.Random(SEED)  # noqa: S311 - which harm comes next
    there = World(made, chance, engine)
    try:
        made.start()
        yield there
    finally:
        there.mend_all()
        made.close()
        engine.close()


def test_after_chaos_all_is_as_wanted(world: World) -> None:
    master = world.fleet.master
    world.wanted = json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": manifests(shell_image.SHELL)}
    )
    master.kubectl("create", "-f", "-", stdin=world.wanted)
    done = reign(world)
    print(f"\nseed {SEED}, {CHAOS_S:.0f} s: {dict(done)}")
    end(world)
    began = time.monotonic()
    wrong: list[str] = ["nobody has looked yet"]
    while wrong and time.monotonic() - began < 4 * CALM_S:  # say how late it was, too
        wrong = faults(world)
        time.sleep(0.5)
    took = time.monotonic() - began
    print(f"as wanted {took:.1f} s after the last harm was mended")
    assert wrong == [], "\n".join([*wrong, master.tail(60)])
    assert took < CALM_S
    began = time.monotonic()
    eventually(lambda: rests(world), 90)
    print(f"no write in {QUIET_S:.0f} s, {time.monotonic() - began:.0f} s later")
    assert faults(world) == []


def reign(world: World) -> Counter[str]:
    """Do harm after harm; how many of each there were."""
    harms, weights = zip(*HARMS, strict=True)
    done: Counter[str] = Counter()
    until = time.monotonic() + CHAOS_S
    while time.monotonic() < until:
        world.mend_due()
        harm = world.rng.choices(harms, weights)[0]
        if world.is_broken("master"):  # whoever must ask it first would wait
            time.sleep(0.2)
            continue
        harm(world)
        done[harm.__name__] += 1
        time.sleep(world.rng.uniform(0.2, 2.0))
    return done


def end(world: World) -> None:
    """Mend everything; what is wanted is what was asked for last."""
    world.mend_all()
    master = world.fleet.master
    eventually(lambda: world.fleet.ready() == set(world.fleet.hosts), BACK_S)
    for name in world.fleet.hosts:
        master.kubectl("uncordon", name)
    master.run("delete", "pods", "-l", "app=stray", "--wait=false")
    eventually(lambda: all_there(world), BACK_S)
    for number in (0, 1):
        patch = '{"spec":{"suspend":true}}'
        master.kubectl("patch", "cronjob", f"cron-{number}", "--type=merge", "-p", patch)


def all_there(world: World) -> bool:
    """Whether every object is there again; those that are still going can't be made yet."""
    world.restore()
    world.background.pop().wait(30)
    wanted = {(b["kind"], b["metadata"]["name"]) for b in json.loads(world.wanted)["items"]}
    kinds = ",".join(sorted({kind for kind, _ in wanted}))
    found: list[dict[str, Any]] = world.fleet.master.get(kinds)["items"]
    there = {
        (b["kind"], b["metadata"]["name"])
        for b in found
        if "deletionTimestamp" not in b["metadata"]
    }
    return wanted <= there


def rests(world: World) -> bool:
    before = objects(world.fleet.master)
    time.sleep(QUIET_S)  # what is looked for is that nothing happens meanwhile
    return objects(world.fleet.master) == before
