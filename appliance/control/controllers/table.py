"""All controllers, in one list; assembly runs each in a `client.controller.Runner`.

Adding a controller is adding its file and a line here.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from appliance.api import localpath
from appliance.api.kind import Kind
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.table import KINDS
from appliance.client.base import Client
from appliance.client.controller import Controller, Runner
from appliance.client.events import EventRecorder
from appliance.client.informer import Informers
from appliance.control.controllers.accounts import Accounts
from appliance.control.controllers.apiservice import ApiService, Ensure
from appliance.control.controllers.autoscalers import Autoscalers, Uses
from appliance.control.controllers.certificates import Certificates, SignRequest
from appliance.control.controllers.claimbinder import ClaimBinder
from appliance.control.controllers.claimgrowth import ClaimGrowth
from appliance.control.controllers.clusterroles import ClusterRoles
from appliance.control.controllers.cronjobs import CronJobs
from appliance.control.controllers.daemonsets import DaemonSets
from appliance.control.controllers.deployments import Deployments
from appliance.control.controllers.disruptions import Disruptions
from appliance.control.controllers.endpoints import EndpointsController
from appliance.control.controllers.endpointslices import EndpointSliceController
from appliance.control.controllers.ephemeralclaims import EphemeralClaims
from appliance.control.controllers.evictions import Evictions
from appliance.control.controllers.garbage import GarbageCollector
from appliance.control.controllers.jobs import Jobs
from appliance.control.controllers.loadbalancers import LoadBalancers
from appliance.control.controllers.localpath import Provisioner, Releaser
from appliance.control.controllers.mirroring import EndpointMirroring
from appliance.control.controllers.namespace import NamespaceController
from appliance.control.controllers.nodeipam import NodeIpam
from appliance.control.controllers.nodelife import NodeLife
from appliance.control.controllers.podgc import PodCollector
from appliance.control.controllers.protection import ClaimProtection, VolumeProtection
from appliance.control.controllers.quotas import Quotas
from appliance.control.controllers.replicasets import ReplicaSets
from appliance.control.controllers.replication import Replication
from appliance.control.controllers.statefulsets import StatefulSets
from appliance.control.controllers.tokensecrets import Sign, TokenSecrets
from appliance.control.controllers.volumephases import VolumePhases
from appliance.control.ingress.keeper import Ingresses, IngressOptions
from appliance.control.stacks.keeper import Stacks
from appliance.kit.clock import Clock

WORKERS = 4
"""Keys of one controller worked on at once: mostly they wait for the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerOptions:
    """What controllers must be told; `root_ca_pem` goes into every namespace, each node
    gets a share of `cluster_cidr`."""

    root_ca_pem: str = ""
    cluster_cidr: str = "10.42.0.0/16"
    sign_token: Sign | None = None
    """Makes the tokens that lie in Secrets; without it none are made."""
    sign_request: SignRequest | None = None
    """Makes client certificates; without it none are signed."""
    kinds: Sequence[Kind[Any]] = KINDS
    local_storage: bool = True
    """Whether folders of nodes are made into volumes."""
    host_ports: Collection[int] = ()
    """Ports of the nodes that no balancer may take."""
    ensure_api_service: Ensure | None = None
    """Makes what is missing of the service `kubernetes`; without it nobody looks after that."""
    pod_uses: Uses | None = None
    """Asks nodes what pods use; without it nothing is scaled by use."""
    ingress: IngressOptions | None = None
    """Where requests from outside come in; without it ingresses are somebody else's."""
    manifests: Path | None = None
    """Folder of stacks; without it there are none."""
    custom: Callable[[], Sequence[Kind[Any]]] = tuple
    """Users' kinds, as they are when asked."""


def build(
    client: Client,
    informers: Informers,
    *,
    clock: Clock,
    recorder: EventRecorder,
    options: ControllerOptions,
) -> list[Controller]:
    """Make every controller."""
    # One view of each object is enough, and some are only computed.
    kept = [k for k in options.kinds if k.stored_as is None and "watch" in k.verbs]
    # Events belong to nobody and are many: the collector need not keep them in memory.
    owned = [kind for kind in kept if kind is not EVENT]
    # Events name their source as upstream's controllers do: people filter by it.
    replication = recorder.named("replication-controller")
    nodes = recorder.named("node-controller")
    evictions = recorder.named("taint-eviction-controller")
    given: list[Controller] = []
    if options.sign_token is not None:
        ca_pem, sign = options.root_ca_pem, options.sign_token
        given.append(TokenSecrets(client, informers, root_ca_pem=ca_pem, sign=sign))
    if options.sign_request is not None:
        given.append(Certificates(client, informers, clock=clock, sign=options.sign_request))
    if options.ensure_api_service is not None:
        given.append(ApiService(informers, ensure=options.ensure_api_service))
    kinds = partial(_every_kind, options)
    if options.manifests is not None:
        stacks = recorder.named("stacks")
        given.append(
            Stacks(client, informers, folder=options.manifests, kinds=kinds, recorder=stacks)
        )
    if options.ingress is not None:
        entry = recorder.named("ingress")
        given.append(Ingresses(client, informers, options=options.ingress, recorder=entry))
    if options.pod_uses is not None:
        given.append(
            Autoscalers(
                client,
                informers,
                clock=clock,
                recorder=recorder.named("horizontal-pod-autoscaler"),
                kinds=kinds,
                uses=options.pod_uses,
            )
        )
    balancers = recorder.named("service-controller")
    return [
        *given,
        LoadBalancers(client, informers, recorder=balancers, reserved=options.host_ports),
        ClusterRoles(client, informers),
        Quotas(client, informers, owned, clock=clock),
        Replication(client, informers, clock=clock, recorder=replication),
        ReplicaSets(
            client, informers, clock=clock, recorder=recorder.named("replicaset-controller")
        ),
        Deployments(
            client, informers, clock=clock, recorder=recorder.named("deployment-controller")
        ),
        StatefulSets(
            client, informers, clock=clock, recorder=recorder.named("statefulset-controller")
        ),
        CronJobs(client, informers, clock=clock, recorder=recorder.named("cronjob-controller")),
        Jobs(client, informers, clock=clock, recorder=recorder.named("job-controller")),
        DaemonSets(client, informers, clock=clock, recorder=recorder.named("daemonset-controller")),
        EndpointsController(client, informers),
        EndpointSliceController(client, informers),
        EndpointMirroring(client, informers),
        Accounts(client, informers, root_ca_pem=options.root_ca_pem),
        NamespaceController(client, informers, kept, options.custom, clock=clock),
        GarbageCollector(client, informers, owned),
        NodeIpam(client, informers, cluster_cidr=options.cluster_cidr, recorder=nodes),
        NodeLife(client, informers, clock=clock, recorder=nodes),
        Evictions(client, informers, clock=clock, recorder=evictions),
        Disruptions(client, informers, clock=clock, recorder=recorder.named("controllermanager")),
        PodCollector(client, informers, clock=clock),
        *_storage(client, informers, recorder, local=options.local_storage),
        ClaimProtection(client, informers),
        VolumeProtection(client, informers),
    ]


def _every_kind(options: ControllerOptions) -> Sequence[Kind[Any]]:
    return (*options.kinds, *options.custom())


def _storage(
    client: Client, informers: Informers, recorder: EventRecorder, *, local: bool
) -> list[Controller]:
    """Volumes for claims."""
    binder = recorder.named("persistentvolume-controller")
    maker = recorder.named(localpath.PROVISIONER)
    made: list[Controller] = [
        ClaimBinder(client, informers, recorder=binder),
        VolumePhases(client, informers, recorder=binder),
        EphemeralClaims(client, informers, recorder=recorder.named("ephemeral_volume")),
        ClaimGrowth(client, informers, recorder=recorder.named("volume_expand")),
        # Also where none are made any more: those that there are want to go.
        Releaser(client, informers, recorder=maker),
    ]
    if local:
        made.append(Provisioner(client, informers, recorder=maker))
    return made


def runners(controllers: Sequence[Controller], clock: Clock) -> list[Runner]:
    """Give each controller its runner."""
    return [Runner(controller, clock=clock, workers=WORKERS) for controller in controllers]
