"""The Node object of this host: made at start, kept true, with a heartbeat beside it.

Two facts are kept apart, as upstream does: the Lease in kube-node-lease is renewed every
`heartbeat_s` and says "I live"; the Node's status is written when it changed, or every
`status_s`. What others did to the status (a controller that called us NotReady) is seen through
the informer and put right at once.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog

from appliance import __version__
from appliance.api import localpath
from appliance.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from appliance.api.kinds.coordination.lease import LEASE, Lease, LeaseSpec
from appliance.api.kinds.core.node import (
    NODE,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    Taint,
)
from appliance.api.meta import ObjectMeta, OwnerReference
from appliance.api.quantity import canonical
from appliance.client.base import Client, PatchType, Where, clone
from appliance.client.informer import Informer, Informers
from appliance.kit import jsonio
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock, rfc3339, rfc3339_micro
from appliance.node.options import NodeOptions
from appliance.node.pressure.reserve import allocatable, parse_reserved
from appliance.node.pressure.thresholds import parse_thresholds
from appliance.node.resources import HostFacts
from appliance.node.runtimes.base import Fingerprint

log = structlog.get_logger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_S = 40
"""The node counts as dead this long after its last renewal."""
KUBELET_VERSION = f"v1.36.2+appliance.{__version__}"
PAUSES = Backoff(base_s=0.2, maximum_s=5.0)
WRITE_PAUSE_S = 0.5
"""Between two writes of the status: a quarrel with another writer must not become a storm."""


def node_labels(options: NodeOptions, facts: HostFacts) -> dict[str, str]:
    """Labels of the Node: the well-known ones, then the user's."""
    return {
        "beta.kubernetes.io/arch": facts.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": facts.architecture,
        "kubernetes.io/hostname": options.node_name,
        "kubernetes.io/os": "linux",
        **options.labels,
    }


def node_notes(options: NodeOptions) -> dict[str, str]:
    """Annotations of the Node: where the provisioner of volumes may have folders."""
    return {} if options.storage_dir is None else {localpath.STORAGE: str(options.storage_dir)}


def fresh_node(options: NodeOptions, facts: HostFacts) -> Node:
    """The Node as it is registered: name, labels and taints; the status follows."""
    return Node(
        kind=NODE.kind,
        apiVersion=NODE.api_version,
        metadata=ObjectMeta(
            name=options.node_name,
            labels=node_labels(options, facts),
            annotations={"node.alpha.kubernetes.io/ttl": "0", **node_notes(options)},
        ),
        spec=NodeSpec(taints=[parse_taint(text) for text in options.taints]),
    )


def parse_taint(text: str) -> Taint:
    """`key=value:Effect` or `key:Effect`.

    Raises:
        ValueError: it has no effect.
    """
    pair, colon, effect = text.rpartition(":")
    if not colon or not pair:
        raise ValueError(f"taint {text!r} must be written like key=value:NoSchedule")
    key, _, value = pair.partition("=")
    return Taint(key=key, value=value, effect=effect)


def node_status(
    options: NodeOptions, facts: HostFacts, engine: Fingerprint, *, port: int
) -> NodeStatus:
    """The status but for its conditions."""
    upkeep = options.upkeep
    amounts: dict[str, str | int | float] = {
        "cpu": str(facts.cpus),
        "ephemeral-storage": f"{facts.disk_bytes // 1024}Ki",
        "memory": f"{facts.memory_bytes // 1024}Ki",
        "pods": str(options.pods_max),
    }
    # as the API stores them, else they would differ for ever: 4194304Ki is kept as 4Gi
    amounts = {name: canonical(amount) for name, amount in amounts.items()}
    return NodeStatus(
        capacity=amounts,
        allocatable=allocatable(
            amounts,
            [parse_reserved(upkeep.kube_reserved), parse_reserved(upkeep.system_reserved)],
            parse_thresholds(upkeep.eviction_hard),
        ),
        addresses=[
            NodeAddress(type="InternalIP", address=options.node_ip),
            NodeAddress(type="Hostname", address=options.node_name),
        ],
        daemonEndpoints=NodeDaemonEndpoints(kubeletEndpoint=DaemonEndpoint(Port=port)),
        nodeInfo=NodeSystemInfo(
            machineID=facts.machine_id,
            systemUUID=facts.system_uuid,
            bootID=facts.boot_id,
            kernelVersion=facts.kernel,
            osImage=facts.os_image,
            containerRuntimeVersion=f"{engine.engine}://{engine.version}",
            kubeletVersion=KUBELET_VERSION,
            kubeProxyVersion="",
            operatingSystem="linux",
            architecture=facts.architecture,
        ),
    )


PRESSURES = {
    "MemoryPressure": (
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    "DiskPressure": (
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    "PIDPressure": (
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
}
"""Reason and message of each while it is off, and while it is on."""


def node_conditions(
    engine_fault: str,
    before: Mapping[str, NodeCondition],
    now: float,
    pressures: Collection[str] = (),
) -> list[NodeCondition]:
    """The four conditions of every node; `engine_fault` says why no container can run."""
    made = [
        (kind, "True" if kind in pressures else "False", *words[kind in pressures])
        for kind, words in PRESSURES.items()
    ]
    if engine_fault:
        made.append(
            ("Ready", "False", "KubeletNotReady", f"container runtime is down: {engine_fault}")
        )
    else:
        made.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    stamp = rfc3339(now)
    result = []
    for kind, status, why, text in made:
        old = before.get(kind)
        kept = old.lastTransitionTime if old is not None and old.status == status else None
        result.append(
            NodeCondition(
                type=kind,
                status=status,
                lastHeartbeatTime=stamp,
                lastTransitionTime=kept or stamp,
                reason=why,
                message=text,
            )
        )
    return result


def differs(wanted: NodeStatus, seen: NodeStatus) -> bool:
    """Whether the status has to be written: anything of ours but the heartbeat times."""
    if (wanted.capacity, wanted.allocatable) != (seen.capacity, seen.allocatable):
        return True
    if (wanted.addresses, wanted.nodeInfo) != (seen.addresses, seen.nodeInfo):
        return True
    if wanted.daemonEndpoints != seen.daemonEndpoints:
        return True
    there = {c.type: (c.status, c.reason, c.message) for c in seen.conditions}
    return any(there.get(c.type) != (c.status, c.reason, c.message) for c in wanted.conditions)


class Registrar:
    """Keeps this host's Node and Lease in the API."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        options: NodeOptions,
        facts: HostFacts,
        clock: Clock,
        engine_fault: Callable[[], str],
        pressures: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._client = client
        self._options = options
        self._facts = facts
        self._clock = clock
        self._engine_fault = engine_fault
        self._pressures = pressures
        where = Where(fields=f"metadata.name={options.node_name}")
        self._seen: Informer[Node] = informers.of(NODE, where)
        self._stir = asyncio.Event()
        self._lease: Lease | None = None
        self._written_at = float("-inf")
        self.engine = Fingerprint(engine="", version="", api_version="")
        self.port = 0
        """Where the node's own API answers; set before `run`."""

    @property
    def node(self) -> Node | None:
        """Our Node as the API has it."""
        return self._seen.cache.get(self._options.node_name)

    def stir(self) -> None:
        """Something about this node changed: look at the status now."""
        self._stir.set()

    async def keep_status(self) -> None:
        """Make the Node if it is missing; write its status when it is not what it should be."""
        self._seen.on_change(lambda _old, _new: self._stir.set())
        await self._seen.wait_synced()
        failures = 0
        while True:
            self._stir.clear()
            try:
                await self._put_right()
                failures = 0
            except ApiError as error:
                failures += 1
                log.warning("node not registered", error=str(error))
                await self._clock.sleep(PAUSES.delay(failures))
                continue
            await self._stir.wait()

    async def keep_alive(self) -> None:
        """Renew the Lease every `heartbeat_s`; now and then the status' heartbeat, too."""
        failures = 0
        while True:
            try:
                await self._renew()
                failures = 0
                pause = self._options.heartbeat_s
            except ApiError as error:
                failures += 1
                pause = PAUSES.delay(failures)
                log.warning("heartbeat not written", error=str(error), again_in_s=pause)
            if self._clock.monotonic() - self._written_at >= self._options.status_s:
                self._stir.set()
            await self._clock.sleep(pause)

    async def _put_right(self) -> None:
        seen = self.node
        if seen is None:
            try:
                seen = await self._make()
            except AlreadyExists:
                seen = await self._client.get(NODE, self._options.node_name)
        await self._label(seen)
        before = {c.type: c for c in seen.status.conditions}
        wanted = node_status(self._options, self._facts, self.engine, port=self.port)
        now = self._clock.wall()
        wanted.conditions = node_conditions(self._engine_fault(), before, now, self._pressures())
        stale = self._clock.monotonic() - self._written_at >= self._options.status_s
        if not stale and not differs(wanted, seen.status):
            return
        others = [
            c for c in seen.status.conditions if c.type not in {w.type for w in wanted.conditions}
        ]
        wanted.conditions = [*wanted.conditions, *others]
        body: dict[str, Any] = {"status": jsonio.loads(jsonio.dumps(wanted))}
        await self._client.patch(
            NODE, self._options.node_name, body, how=PatchType.MERGE, subresource="status"
        )
        self._written_at = self._clock.monotonic()
        await self._clock.sleep(WRITE_PAUSE_S)

    async def _make(self) -> Node:
        """Register, with the range that our pods have, unless another node has it by now."""
        fresh = fresh_node(self._options, self._facts)
        cidr = self._options.pod_cidr
        others = (await self._client.list(NODE)).items
        if cidr and not any(cidr in other.spec.podCIDRs for other in others):
            fresh.spec.podCIDR, fresh.spec.podCIDRs = cidr, [cidr]
        return await self._client.create(NODE, fresh)

    async def _label(self, seen: Node) -> None:
        """Labels and annotations that we are responsible for."""
        labels = _other(node_labels(self._options, self._facts), seen.metadata.labels)
        notes = _other(node_notes(self._options), seen.metadata.annotations)
        if labels or notes:
            body = {"metadata": {"labels": labels, "annotations": notes}}
            await self._client.patch(NODE, self._options.node_name, body)

    async def _renew(self) -> None:
        try:
            if self._lease is None:
                self._lease = await self._find_lease()
            lease = clone(self._lease)
            lease.metadata.ownerReferences = lease.metadata.ownerReferences or self._owners()
            lease.spec.renewTime = rfc3339_micro(self._clock.wall())
            lease.spec.holderIdentity = self._options.node_name
            lease.spec.leaseDurationSeconds = LEASE_S
            self._lease = await self._client.update(LEASE, lease)
        except (Conflict, NotFound):
            self._lease = None  # somebody wrote or deleted it: look again at once
            raise

    async def _find_lease(self) -> Lease:
        name = self._options.node_name
        try:
            return await self._client.get(LEASE, name, LEASE_NAMESPACE)
        except NotFound:
            pass  # the first heartbeat: made below
        made = Lease(
            kind=LEASE.kind,
            apiVersion=LEASE.api_version,
            metadata=ObjectMeta(name=name, namespace=LEASE_NAMESPACE),
            spec=LeaseSpec(
                holderIdentity=name,
                leaseDurationSeconds=LEASE_S,
                renewTime=rfc3339_micro(self._clock.wall()),
            ),
        )
        return await self._client.create(LEASE, made, namespace=LEASE_NAMESPACE)

    def _owners(self) -> list[OwnerReference]:
        """The Lease goes with its Node."""
        node = self.node
        if node is None:
            return []
        meta = node.metadata
        return [
            OwnerReference(
                apiVersion=NODE.api_version, kind=NODE.kind, name=meta.name, uid=meta.uid
            )
        ]


def _other(wanted: Mapping[str, str], seen: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if seen.get(name) != value}
