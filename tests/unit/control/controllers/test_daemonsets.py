"""A daemon set has one pod on every node that fits, and replaces them node by node."""

import random
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.apps.controllerrevision import CONTROLLER_REVISION
from appliance.api.kinds.apps.daemonset import DAEMON_SET, DaemonSet, DaemonSetStatus
from appliance.api.kinds.core.node import NODE, Node, Taint
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.client.base import clone
from appliance.control.controllers import daemons
from appliance.control.controllers.daemonsets import DaemonSets
from appliance.control.scheduler.loop import Scheduler
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def logs(plane: Cluster) -> Cluster:
    await plane.start(
        DaemonSets(plane.client, plane.informers, clock=plane.clock, recorder=plane.recorder),
        Scheduler(
            plane.client,
            plane.informers,
            clock=plane.clock,
            recorder=plane.recorder,
            rng=random.Random(1),  # noqa: S311 - ties in tests
        ),
    )
    for name in ("n1", "n2", "n3"):
        await plane.add_node(name)
    return plane


def daemon_set(image: str = "logs:1", **spec: Any) -> DaemonSet:
    body: dict[str, Any] = {
        "metadata": {"name": "logs", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "logs"}},
            "template": {
                "metadata": {"labels": {"app": "logs"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }
    return msgspec.convert(body, DaemonSet)


def image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": name}]}}}}


async def on_nodes(logs: Cluster) -> dict[str, str]:
    """{node: image} of pods that are not on their way out."""
    return {
        p.spec.nodeName: p.spec.containers[0].image
        for p in await logs.pods()
        if not p.metadata.deletionTimestamp
    }


async def status(logs: Cluster) -> DaemonSetStatus:
    return (await logs.client.get(DAEMON_SET, "logs", "default")).status


async def test_each_node_has_one_and_a_new_node_gets_one(logs: Cluster) -> None:
    await logs.make(DAEMON_SET, daemon_set())
    assert await on_nodes(logs) == dict.fromkeys(("n1", "n2", "n3"), "logs:1")
    await logs.add_node("n4")
    assert len(await on_nodes(logs)) == 4
    await logs.play_nodes()
    now = await status(logs)
    assert (now.desiredNumberScheduled, now.currentNumberScheduled, now.numberReady) == (4, 4, 4)
    assert (now.updatedNumberScheduled, now.numberAvailable, now.numberUnavailable) == (4, 4, 0)


async def test_only_nodes_that_fit_have_one(logs: Cluster) -> None:
    await logs.edit(NODE, "n1", {"metadata": {"labels": {"disk": "fast"}}})
    wanted = daemon_set()
    wanted.spec.template.spec.nodeSelector = {"disk": "fast"}
    await logs.make(DAEMON_SET, wanted)
    assert [*await on_nodes(logs)] == ["n1"]
    await logs.edit(NODE, "n2", {"metadata": {"labels": {"disk": "fast"}}})
    await logs.edit(NODE, "n1", {"metadata": {"labels": {"disk": None}}})
    assert [*await on_nodes(logs)] == ["n2"]


async def test_a_cordon_keeps_it_a_taint_keeps_away_and_no_execute_ends_it(logs: Cluster) -> None:
    await logs.edit(NODE, "n1", {"spec": {"unschedulable": True}})
    taint = {"key": "mine", "effect": "NoSchedule"}
    await logs.edit(NODE, "n2", {"spec": {"taints": [taint]}})
    await logs.make(DAEMON_SET, daemon_set())
    assert {*await on_nodes(logs)} == {"n1", "n3"}
    await logs.edit(NODE, "n3", {"spec": {"taints": [taint]}})
    assert {*await on_nodes(logs)} == {"n1", "n3"}, "it may stay"
    await logs.edit(NODE, "n3", {"spec": {"taints": [{**taint, "effect": "NoExecute"}]}})
    assert {*await on_nodes(logs)} == {"n1"}


async def test_pods_are_meant_for_their_node_and_bear_their_revision(logs: Cluster) -> None:
    await logs.make(DAEMON_SET, daemon_set())
    (revision,) = await logs.all(CONTROLLER_REVISION)
    mark = revision.metadata.labels["controller-revision-hash"]
    assert revision.metadata.name == f"logs-{mark}"
    assert revision.data["spec"]["template"]["$patch"] == "replace"
    for pod in await logs.pods():
        assert pod.metadata.labels["controller-revision-hash"] == mark
        assert pod.metadata.labels["pod-template-generation"] == "1"
        assert daemons.node_of(pod) == pod.spec.nodeName
        covered = {(t.key, t.effect) for t in pod.spec.tolerations}
        assert ("node.kubernetes.io/unreachable", "NoExecute") in covered


async def test_a_new_template_takes_one_node_after_the_other(logs: Cluster) -> None:
    await logs.make(DAEMON_SET, daemon_set())
    await logs.play_nodes()
    await logs.edit(DAEMON_SET, "logs", image("logs:2"))
    seen = []
    for _ in range(8):
        now = await status(logs)
        assert now.numberAvailable >= 2
        seen.append(sum(one == "logs:2" for one in (await on_nodes(logs)).values()))
        await logs.play_nodes()
    assert set((await on_nodes(logs)).values()) == {"logs:2"}
    assert seen == sorted(seen)
    assert (await status(logs)).updatedNumberScheduled == 3
    assert [r.revision for r in await logs.all(CONTROLLER_REVISION)] != [1]


async def test_broken_pods_are_replaced_without_waiting(logs: Cluster) -> None:
    await logs.make(DAEMON_SET, daemon_set("broken"))
    await logs.edit(DAEMON_SET, "logs", image("logs:2"))
    for _ in range(3):
        await logs.play_nodes()
    assert set((await on_nodes(logs)).values()) == {"logs:2"}


async def test_with_surge_the_new_comes_before_the_old_goes(logs: Cluster) -> None:
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    wanted = daemon_set(updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    await logs.make(DAEMON_SET, wanted)
    await logs.play_nodes()
    await logs.edit(DAEMON_SET, "logs", image("logs:2"))
    assert len(await logs.pods()) == 4
    for _ in range(8):
        assert (await status(logs)).numberAvailable == 3
        await logs.play_nodes()
    assert set((await on_nodes(logs)).values()) == {"logs:2"}
    assert len(await logs.pods()) == 3


async def test_on_delete_waits_for_a_person(logs: Cluster) -> None:
    await logs.make(DAEMON_SET, daemon_set(updateStrategy={"type": "OnDelete"}))
    await logs.play_nodes()
    await logs.edit(DAEMON_SET, "logs", image("logs:2"))
    assert set((await on_nodes(logs)).values()) == {"logs:1"}
    pod = next(p for p in await logs.pods() if p.spec.nodeName == "n2")
    await logs.delete(POD, pod.metadata.name, grace_period_s=0)
    assert (await on_nodes(logs))["n2"] == "logs:2"


async def test_undo_takes_the_old_revision_again(logs: Cluster) -> None:
    await logs.make(DAEMON_SET, daemon_set())
    await logs.play_nodes()
    await logs.edit(DAEMON_SET, "logs", image("logs:2"))
    await logs.edit(DAEMON_SET, "logs", image("logs:1"))
    for _ in range(8):
        await logs.play_nodes()
    found = {r.revision: r.data for r in await logs.all(CONTROLLER_REVISION)}
    assert sorted(found) == [2, 3]
    assert found[3]["spec"]["template"]["spec"]["containers"][0]["image"] == "logs:1"


async def test_a_pod_that_ends_comes_again_ever_later(logs: Cluster) -> None:
    await logs.make(DAEMON_SET, daemon_set())

    async def end() -> None:
        pod = next(p for p in await logs.pods() if p.spec.nodeName == "n1")
        new: Pod = clone(pod)
        new.status.phase = "Failed"
        await logs.client.update(POD, new, subresource="status")
        await logs.settle()

    await end()
    assert (await logs.events("FailedDaemonPod"))[0].type == "Warning"
    await logs.play_nodes()
    assert (await on_nodes(logs))["n1"] == "logs:1"
    await end()
    await logs.advance(0.5)
    phases = [p.status.phase for p in await logs.pods() if p.spec.nodeName == "n1"]
    assert phases == ["Failed"], "not at once this time"
    await logs.advance(5)
    await logs.play_nodes()
    assert all(p.status.phase != "Failed" for p in await logs.pods())


async def test_an_idle_one_writes_nothing(logs: Cluster) -> None:
    await logs.make(DAEMON_SET, daemon_set())
    await logs.play_nodes()
    before = await logs.revision()
    await logs.advance(1800)
    assert await logs.revision() == before


def test_tolerated_taints_do_not_matter() -> None:
    node = Node()
    node.spec.taints = [Taint(key="node.kubernetes.io/not-ready", effect="NoExecute")]
    assert daemons.fits(daemon_set().spec.template.spec, node) == daemons.Fit(come=True, stay=True)
