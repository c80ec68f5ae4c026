"""The agent of one host: sources → wish → pod workers; beside them registration and logs.

`assembly` builds it from a client, an engine and a network, and runs `run` until it stops; then
pods, links and folders stay, and the next agent adopts them. Start order: engine, network, the
last wish from disk, then everything else side by side; nothing waits for the API.
"""

from collections.abc import Callable, Sequence

import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.status import PodStatus
from appliance.api.kinds.core.service import SERVICE
from appliance.client.base import Client
from appliance.client.controller import Runner
from appliance.client.informer import Informers
from appliance.kit import heap
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock, rfc3339
from appliance.kit.tasks import Tasks
from appliance.node.archives import ImageFolder
from appliance.node.desired import DesiredPods
from appliance.node.events import PodEvents, Recorder
from appliance.node.images.pause import PAUSE_IMAGE, ensure_pause
from appliance.node.images.pull import Puller
from appliance.node.network.base import Network
from appliance.node.options import NodeOptions
from appliance.node.pods.checks import Checker
from appliance.node.pods.downward import PodFacts
from appliance.node.pods.evictions import Evictions
from appliance.node.pods.execute import Parts
from appliance.node.pods.images import Images
from appliance.node.pods.inputs import ApiInputs
from appliance.node.pods.remembered import RememberedInputs
from appliance.node.pods.reports import Reports
from appliance.node.pods.tokens import PodTokens
from appliance.node.pods.workers import Workers
from appliance.node.register import Registrar
from appliance.node.resources import HostFacts, host_facts
from appliance.node.runtimes.base import Fingerprint, Runtime, RuntimeFault
from appliance.node.serve.app import build_app
from appliance.node.serve.inspection import add_inspection
from appliance.node.serve.manifests import add_manifests
from appliance.node.serve.server import NodeServer
from appliance.node.serve.usage import add_metrics, add_usage
from appliance.node.sources.api import ApiSource
from appliance.node.sources.base import SOURCE, Source
from appliance.node.sources.complaints import Complaints
from appliance.node.sources.merge import Merged, Refusal, merge
from appliance.node.sources.mirrors import Mirrors
from appliance.node.sources.opening import manifest_sources
from appliance.node.sources.push import PushSource
from appliance.node.stats.meter import Meter
from appliance.node.stats.volumes import VolumeMeter
from appliance.node.upkeep import Node, Upkeep
from appliance.node.volumes.localpath import FolderRemover
from appliance.node.volumes.mounter import Volumes

log = structlog.get_logger(__name__)

ENGINE_PAUSES = Backoff(base_s=0.5, maximum_s=10.0)


class Agent:
    """Runs the pods of this host."""

    def __init__(
        self,
        *,
        client: Client,
        runtime: Runtime,
        network: Network,
        options: NodeOptions,
        clock: Clock,
        recorder: Recorder,
        metrics: Callable[[], bytes] = bytes,
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._runtime = runtime
        self._network = network
        self._options = options
        self._clock = clock
        self._recorder = recorder
        self._events = PodEvents(recorder)
        self._informers = Informers(client, clock)
        self._reports = Reports(client, clock)
        self._desired = DesiredPods(options.data_dir)
        self._tokens = PodTokens(client, clock, options.data_dir)
        self._inputs = RememberedInputs(
            ApiInputs(client, self._informers.of(SERVICE), self._tokens), options.data_dir
        )
        self._volumes = Volumes(
            options.data_dir, storage_dir=options.storage_dir, node_name=options.node_name
        )
        self._puller = Puller(
            runtime, options.registries_path, ask_registry=options.ask_default_registry
        )
        self._image_folder = ImageFolder(options.data_dir / "images", runtime, clock)
        self._snapshots: dict[str, Sequence[Pod]] = {}
        self._sources: list[Source] = []
        self._refused: set[str] = set()
        self._swept = False
        self._engine_fault = ""
        self._workers: Workers | None = None
        self._mirrors: Mirrors | None = None
        self._registrar: Registrar | None = None
        self._upkeep: Upkeep | None = None
        self._at_the_door: set[str] = set()
        """Uids of pods that came while the node was under pressure."""

    @property
    def workers(self) -> Workers:
        """The pod workers, once `run` has begun.

        Raises:
            RuntimeError: the agent does not run yet.
        """
        if self._workers is None:
            raise RuntimeError("the agent does not run yet")
        return self._workers

    async def run(self) -> None:
        """Work until cancelled."""
        options = self._options
        options.data_dir.mkdir(parents=True, exist_ok=True)
        facts = host_facts(options.data_dir)
        engine = await self._wait_for_engine()
        if options.pod_cidr:
            await self._network.set_up(options.pod_cidr)
        async with Tasks("agent", self._clock) as tasks:
            upkeep = self._upkeep = self._make_upkeep(engine)
            workers = Workers(self._parts(facts, engine, upkeep), tasks)
            self._workers = workers
            last = self._desired.load()
            pushed = PushSource(node_name=options.node_name, last=last)
            server = await self._serve(workers, pushed)
            registrar = Registrar(
                self._client,
                self._informers,
                options=options,
                facts=facts,
                clock=self._clock,
                engine_fault=lambda: self._engine_fault,
                pressures=lambda: upkeep.pressure.conditions,
            )
            self._registrar = registrar
            registrar.engine = engine
            registrar.port = server.port if server is not None else 0
            complaints = Complaints(self._recorder, options.node_name)
            self._sources = manifest_sources(options, self._clock, complaints, last)
            self._sources.append(pushed)
            self._start(tasks, workers, registrar)
            upkeep.start(tasks)
            try:
                await tasks.wait_failed()
            finally:
                if server is not None:
                    await server.stop()

    def _start(self, tasks: Tasks, workers: Workers, registrar: Registrar) -> None:
        last = self._desired.load()
        workers.wish(last, remembered=frozenset(pod.metadata.uid for pod in last))
        services = self._informers.of(SERVICE)
        api = ApiSource(self._informers, self._options.node_name, wait_for=[services])
        self._sources.append(api)
        self._mirrors = Mirrors(
            self._client,
            self._clock,
            seen=api.mirrors,
            node=lambda: registrar.node,
            made=self._show_again,
        )
        api.on_change(self._mirrors.stir)
        _ = tasks.spawn("mirrors", self._run_mirrors(api, self._mirrors))
        for source in self._sources:
            _ = tasks.spawn(f"source/{source.name}", self._follow(source, workers))
        _ = tasks.spawn("engine", self._follow_engine(workers, registrar))
        _ = tasks.forever("reports", self._reports.run)
        _ = tasks.forever("node status", registrar.keep_status)
        _ = tasks.forever("heartbeat", registrar.keep_alive)
        _ = tasks.spawn("relist", self._relist(workers))
        evictions = Evictions(workers, self._volumes, self._clock)
        _ = tasks.forever("evictions", evictions.run)
        _ = tasks.forever("image folder", self._image_folder.follow)
        _ = tasks.spawn("volumes", self._folder_remover(workers).run())
        self._informers.start(tasks)

    def _folder_remover(self, workers: Workers) -> Runner:
        remover = FolderRemover(
            self._client,
            self._informers,
            mounts=self._volumes.persistent,
            node_name=self._options.node_name,
            pods=lambda: _pods_of(workers),
            recorder=self._recorder,
        )
        return Runner(remover, clock=self._clock)

    def _make_upkeep(self, engine: Fingerprint) -> Upkeep:
        node = Node(
            options=self._options,
            runtime=self._runtime,
            image_root=engine.root_dir,
            recorder=self._recorder,
            clock=self._clock,
            workers=lambda: self.workers,
            volumes=self._volumes,
        )
        return Upkeep(node, changed=self._stir)

    def _stir(self) -> None:
        if self._registrar is not None:
            self._registrar.stir()

    def _parts(self, facts: HostFacts, engine: Fingerprint, upkeep: Upkeep) -> Parts:
        return Parts(
            runtime=self._runtime,
            network=self._network,
            images=Images(self._runtime, self._puller, upkeep.images.came),
            volumes=self._volumes,
            inputs=self._inputs,
            events=self._events,
            reports=self._reports,
            checker=Checker(self._runtime, self._clock),
            clock=self._clock,
            options=self._options,
            engine=engine.engine,
            facts=PodFacts(
                host_ip=self._options.node_ip,
                node_cpus=facts.cpus,
                node_memory_bytes=facts.memory_bytes,
            ),
        )

    async def _wait_for_engine(self) -> Fingerprint:
        failures = 0
        while True:
            try:
                found = await self._runtime.fingerprint()
                if self._options.pause_image == PAUSE_IMAGE:
                    await ensure_pause(self._runtime)
                await self._image_folder.load()
            except RuntimeFault as error:
                failures += 1
                pause = ENGINE_PAUSES.delay(failures)
                log.warning("engine not ready", error=str(error), again_in_s=pause)
                await self._clock.sleep(pause)
            else:
                log.info("engine", name=found.engine, version=found.version)
                return found

    async def _serve(self, workers: Workers, pushed: PushSource) -> NodeServer | None:
        options = self._options.serve
        if options is None:
            return None
        app = build_app(workers, self._runtime, self._clock)
        add_manifests(app, pushed)
        name = self._options.node_name
        add_inspection(app, workers, self._runtime, node_name=name)
        meter = Meter(
            self._runtime,
            self._clock,
            cluster_id=self._options.cluster_id,
            data_dir=self._options.data_dir,
        )
        claims = VolumeMeter(self._volumes, lambda: _pods_of(workers))
        add_usage(app, meter, workers, self._clock, node_name=name, volumes=claims)
        add_metrics(app, self._metrics, claims)
        server = NodeServer(app, options)
        await server.start()
        log.info("node API listens", host=options.host, port=server.port)
        return server

    async def _follow(self, source: Source, workers: Workers) -> None:
        """One source's snapshots into the common wish."""
        async for pods in source.snapshots():
            self._snapshots[source.name] = pods
            merged = self._door(merge(self._snapshots), workers)
            # A source that has not spoken yet may want pods that run: keep its part of the last
            # wish. A URL that is away for days holds up nobody else's comings and goings.
            silent = {source.name for source in self._sources} - self._snapshots.keys()
            known = {pod.metadata.uid for pod in merged.accepted}
            last = [
                p
                for p in (self._desired.load() if silent else ())
                if p.metadata.uid not in known and _source_of(p) in silent
            ]
            wanted = [*merged.accepted, *last]
            workers.wish(wanted, remembered=frozenset(pod.metadata.uid for pod in last))
            if self._mirrors is not None:
                self._mirrors.wish(wanted)
            self._refuse(merged.refused)
            self._desired.save(wanted)
            self._reports.keep_only(frozenset(pod.metadata.uid for pod in wanted))
            self._inputs.forget_others(frozenset(pod.metadata.namespace for pod in wanted))
            self._tokens.forget_others(frozenset(pod.metadata.uid for pod in wanted))
            if not silent:
                await self._sweep_once(workers)

    def _door(self, merged: Merged, workers: Workers) -> Merged:
        """New pods are not taken while the node is under pressure; once refused, for good."""
        if self._upkeep is None:
            return merged
        taken = []
        known = workers.by_uid.keys()
        self._at_the_door &= {pod.metadata.uid for pod in merged.accepted}
        for pod in merged.accepted:
            uid = pod.metadata.uid
            new = uid not in known and pod.status.phase in {"", "Pending"}
            why = self._upkeep.pressure.refusal(pod) if new else ""
            if why:
                self._at_the_door.add(uid)
            if uid in self._at_the_door:
                merged.refused.append(Refusal(pod, "Evicted", why))
            else:
                taken.append(pod)
        merged.accepted = taken
        return merged

    async def _run_mirrors(self, api: ApiSource, mirrors: Mirrors) -> None:
        await api.wait_synced()
        await mirrors.run()

    def _show_again(self, pod: Pod) -> None:
        """A mirror was made: give it the status that its pod has by now."""
        worker = self.workers.by_uid.get(pod.metadata.uid)
        if worker is not None:
            self._reports.again(pod, worker.memory.last)

    async def _sweep_once(self, workers: Workers) -> None:
        if not self._swept:
            try:
                await workers.sweep()
            except RuntimeFault as error:
                log.warning("orphans not swept", error=str(error))
            else:
                self._swept = True

    def _refuse(self, refused: Sequence[Refusal]) -> None:
        """Say once, in the status and as an event, why a pod is not taken."""
        now = rfc3339(self._clock.wall())
        for refusal in refused:
            uid = refusal.pod.metadata.uid
            if uid in self._refused:
                continue
            self._events.warning(refusal.pod, refusal.reason, refusal.message)
            status = PodStatus(
                phase="Failed", reason=refusal.reason, message=refusal.message, startTime=now
            )
            self._reports.report(refusal.pod, status)
        self._refused = {refusal.pod.metadata.uid for refusal in refused}

    async def _follow_engine(self, workers: Workers, registrar: Registrar) -> None:
        """Wake workers by events; while the stream is broken the node is not ready."""
        failures = 0
        while True:
            try:
                await self._runtime.fingerprint()
                self._engine_is(registrar, "")
                failures = 0
                await workers.follow_engine()
                fault = "the engine ended its stream of events"
            except RuntimeFault as error:
                fault = str(error)
            failures += 1
            if failures > 1:  # a stream may end; an engine that does not answer again is down
                self._engine_is(registrar, fault)
            await self._clock.sleep(ENGINE_PAUSES.delay(failures))

    def _engine_is(self, registrar: Registrar, fault: str) -> None:
        if fault != self._engine_fault:
            self._engine_fault = fault
            registrar.stir()

    async def _relist(self, workers: Workers) -> None:
        """The safety net under events: look at everything, seldom."""
        while True:
            await self._clock.sleep(self._options.relist_s)
            workers.refresh_all()
            heap.trim()


def _pods_of(workers: Workers) -> list[Pod]:
    return [worker.pod for worker in workers.by_uid.values()]


def _source_of(pod: Pod) -> str:
    return pod.metadata.annotations.get(SOURCE, "api")
