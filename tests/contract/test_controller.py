"""What every controller promises, over the same settled cluster.

A controller is level-triggered: it needs no memory of what it did, so a second one that starts
on a settled cluster, or is asked again, or is asked about nothing, writes nothing.
"""

from collections.abc import AsyncIterator

import pytest

from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.replicationcontroller import REPLICATION_CONTROLLER
from appliance.api.kinds.core.service import SERVICE
from appliance.client.controller import DONE, Controller
from appliance.client.informer import Informers
from appliance.control.controllers.table import ControllerOptions, build
from appliance.kit.tasks import Tasks
from tests.unit.control.cluster import Cluster, cluster
from tests.unit.control.test_plane import rc, service

NAMES = (
    "accounts",
    "certificates",
    "clusterrole-aggregation",
    "cronjob",
    "daemonset",
    "deployment",
    "disruptions",
    "endpoints",
    "endpointslices",
    "ephemeral-volume",
    "evictions",
    "garbage",
    "job",
    "loadbalancers",
    "local-path-provisioner",
    "local-path-releaser",
    "mirroring",
    "namespaces",
    "nodeipam",
    "nodelife",
    "persistentvolume-binder",
    "persistentvolume-expander",
    "persistentvolume-phases",
    "podgc",
    "pv-protection",
    "pvc-protection",
    "replicaset",
    "replication",
    "resource-quota",
    "statefulset",
    "token-secrets",
)


@pytest.fixture
async def settled() -> AsyncIterator[Cluster]:
    """A cluster on which all controllers have done their work and stopped."""
    async with cluster() as plane:
        async with Tasks("first", plane.clock) as tasks:
            plane.tasks, kept = tasks, plane.tasks
            await plane.start(*table(plane, plane.informers))
            for node in ("n1", "n2"):
                await plane.add_ready_node(node)
            await plane.make(SERVICE, service())
            await plane.make(REPLICATION_CONTROLLER, rc(3))
            for pod in await plane.all(POD):
                await plane.bind(pod)
            await plane.play_nodes()
            await plane.advance(1)
            plane.tasks = kept
        plane.informers = Informers(plane.client, plane.clock)
        plane.forget_loops()
        yield plane


@pytest.mark.parametrize("name", NAMES)
async def test_a_fresh_one_on_a_settled_cluster_writes_nothing(settled: Cluster, name: str) -> None:
    before = await settled.revision()
    await settled.start(pick(settled, name))
    await settled.advance(30)
    assert await settled.revision() == before


@pytest.mark.parametrize("name", NAMES)
async def test_asked_about_what_is_not_there_it_does_nothing(settled: Cluster, name: str) -> None:
    controller = pick(settled, name)
    assert controller.watches(), "something must wake it"
    await settled.start(controller)
    before = await settled.revision()
    for key in ("default/nothing", "nothing", "v1|Pod|default/nothing"):
        if key.count("|") == (2 if name == "garbage" else 0):
            assert await controller.reconcile(key) == DONE
    assert await settled.revision() == before


def pick(plane: Cluster, name: str) -> Controller:
    by_name = {c.name: c for c in table(plane, plane.informers)}
    assert sorted(by_name) == sorted(NAMES)
    return by_name[name]


def table(plane: Cluster, informers: Informers) -> list[Controller]:
    return build(
        plane.client,
        informers,
        clock=plane.clock,
        recorder=plane.recorder,
        options=ControllerOptions(
            root_ca_pem="pem",
            sign_token=lambda secret, _account: secret,
            sign_request=lambda _request, _seconds: b"",
        ),
    )
