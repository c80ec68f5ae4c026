"""Scheduler and controllers of a master, on the in-process client."""

import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry

from appliance.assembly.customkinds import CustomKinds
from appliance.client.base import Client
from appliance.client.controller import Runner
from appliance.client.election import Election
from appliance.client.events import EventRecorder
from appliance.client.informer import Informers
from appliance.config.schema import Config
from appliance.control.controllers.apiservice import Ensure
from appliance.control.controllers.autoscalers import Uses
from appliance.control.controllers.certificates import SignRequest
from appliance.control.controllers.garbage import GarbageCollector
from appliance.control.controllers.table import ControllerOptions, build, runners
from appliance.control.controllers.tokensecrets import Sign
from appliance.control.custom.catalog import Catalog
from appliance.control.http.health import Check
from appliance.control.http.metrics import LoopCounts, LoopFigures
from appliance.control.ingress.keeper import Ingresses, IngressOptions
from appliance.control.scheduler.loop import Scheduler
from appliance.control.scheduler.settings import Settings, read_settings
from appliance.control.scheduler.volumebinding import VolumeBinding
from appliance.control.stacks.folder import Folder
from appliance.control.stacks.keeper import Stacks
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks

_SSH = 22
_ELECT_AGAIN = Backoff(base_s=0.2, maximum_s=2.0)
"""After an outage of the datastore somebody shall lead again soon."""
Work = Callable[[], Coroutine[Any, Any, None]]


class NotReady(Exception):
    """A part is still starting."""


@dataclass(slots=True)
class Loops:
    """What runs beside the API server; `/readyz` asks for `check`."""

    informers: Informers
    recorders: list[EventRecorder] = field(default_factory=list)
    runners: list[Runner] = field(default_factory=list)
    follow: list[Work] = field(default_factory=list)
    """What tells controllers of users' kinds, of files, and of a proxy that is gone."""
    scheduler: Scheduler | None = None
    elections: list[tuple[Election, Runner, Work]] = field(default_factory=list)
    """Where several masters share a store: what only the leader does."""

    def start(self, tasks: Tasks) -> None:
        """Run everything inside `tasks`."""
        for recorder in self.recorders:
            _ = tasks.forever("events", recorder.run)
        self.informers.start(tasks)
        for election, runner, work in self.elections:
            runner.poke(election.key)
            _ = tasks.spawn("election", runner.run())
            _ = tasks.spawn("leader", election.while_leading(work))
        if self.elections:
            return
        for work in self.works().values():
            _ = tasks.spawn("loops", work())

    async def resign(self) -> None:
        """After the loops have ended: another master need not wait for the Leases to run out."""
        for election, _, _ in self.elections:
            await election.resign()

    def works(self) -> dict[str, Work]:
        """What there is to do, by the name of the Lease under which one master does it."""
        works: dict[str, Work] = {}
        if self.runners:
            works["kube-controller-manager"] = self._control
        if self.scheduler is not None:
            works["kube-scheduler"] = self.scheduler.run
        return works

    async def _control(self) -> None:
        async with Tasks("controllers") as tasks:
            for follow in self.follow:
                _ = tasks.spawn("custom-kinds", follow())
            for runner in self.runners:
                _ = tasks.spawn("controller", runner.run())
            await tasks.wait_failed()

    def figures(self) -> CollectorRegistry:
        """What the loops have done, for `/metrics`."""
        registry = CollectorRegistry()
        registry.register(LoopFigures(self._counts))
        return registry

    def _counts(self) -> Iterator[LoopCounts]:
        for runner in self.runners:
            yield LoopCounts(runner.controller.name, runner.depth, runner.done, runner.failed)
        if (loop := self.scheduler) is not None:
            yield LoopCounts(loop.name, loop.waiting, loop.done, loop.failed)

    def check(self) -> Check:
        """Ready once every cache holds its first list."""

        async def synced() -> None:
            waiting = [i for i in self.informers.all() if not i.synced]
            if waiting:
                raise NotReady(f"{len(waiting)} caches are not filled yet")

        return Check("controllers", synced)


def _followers(
    runners: Sequence[Runner], client: Client, catalog: Catalog, clock: Clock
) -> list[Work]:
    return [
        partial(CustomKinds(client, catalog, clock, collector).run, runner)
        for runner in runners
        if isinstance(collector := runner.controller, GarbageCollector)
    ]


def _proxies(runners: Sequence[Runner]) -> list[Work]:
    return [
        partial(keeper.follow, runner)
        for runner in runners
        if isinstance(keeper := runner.controller, Ingresses)
    ]


def _folders(runners: Sequence[Runner], path: Path, clock: Clock) -> list[Work]:
    return [
        partial(Folder(path, keeper, clock).run, runner)
        for runner in runners
        if isinstance(keeper := runner.controller, Stacks)
    ]


@dataclass(frozen=True, slots=True)
class Means:
    """What controllers can do beyond the API: sign with the cluster's keys, ask nodes."""

    sign_token: Sign
    sign_request: SignRequest
    ensure_api_service: Ensure | None = None
    pod_uses: Uses | None = None
    manifests: Path | None = None
    ingress: IngressOptions | None = None


def make_loops(
    config: Config,
    client: Client,
    *,
    clock: Clock,
    ca_pem: bytes,
    means: Means,
    catalog: Catalog | None = None,
    identity: str = "",
) -> Loops:
    """Make what the configuration does not disable; with an identity, one of several masters."""
    loops = Loops(Informers(client, clock))
    if not config.disable_controller_manager:
        recorder = EventRecorder(client, component="controller-manager", clock=clock)
        loops.recorders.append(recorder)
        options = ControllerOptions(
            root_ca_pem=ca_pem.decode(),
            cluster_cidr=config.cluster_cidr,
            sign_token=means.sign_token,
            sign_request=means.sign_request,
            local_storage="local-storage" not in config.disable,
            host_ports=(_SSH, config.https_listen_port, config.kubelet_port),
            ensure_api_service=means.ensure_api_service,
            pod_uses=means.pod_uses,
            manifests=means.manifests,
            ingress=means.ingress,
            custom=catalog.custom if catalog else tuple,
        )
        built = build(client, loops.informers, clock=clock, recorder=recorder, options=options)
        loops.runners = runners(built, clock)
        if catalog is not None:
            loops.follow = _followers(loops.runners, client, catalog, clock)
        loops.follow += _proxies(loops.runners)
        if means.manifests is not None:
            loops.follow += _folders(loops.runners, means.manifests, clock)
    if not config.disable_scheduler:
        recorder = EventRecorder(client, component="default-scheduler", clock=clock)
        loops.recorders.append(recorder)
        loops.scheduler = Scheduler(
            client,
            loops.informers,
            clock=clock,
            recorder=recorder,
            rng=random.SystemRandom(),
            extensions=[VolumeBinding(client, loops.informers)],
            settings=_scheduler_settings(config.scheduler_config),
        )
    if identity:
        for name, work in loops.works().items():
            lease = f"kube-system/{name}"
            election = Election(
                client, loops.informers, lease=lease, identity=identity, clock=clock
            )
            runner = Runner(election, clock=clock, backoff=_ELECT_AGAIN)
            loops.elections.append((election, runner, work))
    return loops


def _scheduler_settings(path: str) -> Settings:
    if not path:
        return Settings()
    try:
        return read_settings(yaml.safe_load(Path(path).read_text()))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from error
