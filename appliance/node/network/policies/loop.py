"""Watches network policies and keeps this node's pods guarded.

Pods and namespaces of the whole cluster are watched while there is a policy, and only then: a
cluster without policies pays for one idle watch, and its API shows a node no pods but its own.
Many changes fold into one run. Nothing happens without a change.

A new pod is guarded before its first container starts: `guard.py` calls `cover` when the pod has
its address, and goes on when the rules hold.
"""

import asyncio
from collections.abc import Callable

import structlog

from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.networking.networkpolicy import NETWORK_POLICY
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.informer import Informers
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.coalesce import Coalesce
from appliance.kit.tasks import Tasks
from appliance.node.network.base import NetworkFault
from appliance.node.network.policies.compile import compile_policies
from appliance.node.network.policies.firewall import Firewall
from appliance.node.network.policies.kernel import Guard
from appliance.node.network.policies.members import Attached, members

log = structlog.get_logger(__name__)

APPLY_EVERY_S = 0.1
COVER_WITHIN_S = 10.0
"""A pod whose rules do not hold by then is not started; the agent tries again."""
PAUSES = Backoff(base_s=0.2, maximum_s=30.0)


class PolicyLoop:
    """Network policies of one node; run it once, before `informers` are started."""

    def __init__(
        self, informers: Informers, client: Client, guard: Guard, *, node_name: str, clock: Clock
    ) -> None:
        self._policies = informers.of(NETWORK_POLICY)
        self._client = client
        self._guard = guard
        self._node_name = node_name
        self._clock = clock
        self._dirty = Coalesce(clock, every_s=APPLY_EVERY_S)
        self._policies.on_change(lambda _old, _new: self._dirty.poke())
        self._attached: dict[str, Attached] = {}
        self._asked = 0
        self._covered = 0
        self._done = asyncio.Condition()

    async def cover(self, pod: Pod, address: str) -> None:
        """Return when the rules for a pod that has just got its address hold.

        While the API can't be reached nobody knows the policies; pods start all the same.

        Raises:
            NetworkFault: the rules can't be brought into the kernel.
        """
        self._attached[key_of(pod)] = Attached(pod, address)
        if not self._policies.synced or not len(self._policies.cache):
            return
        self._asked += 1
        mine = self._asked
        self._dirty.poke()
        try:
            async with asyncio.timeout(COVER_WITHIN_S), self._done:
                await self._done.wait_for(lambda: self._covered >= mine)
        except TimeoutError as late:
            raise NetworkFault("network policies are not in force yet") from late

    def forget(self, pod_uids: Callable[[str], bool]) -> None:
        """Forget the pods with such uids: their addresses were taken back."""
        gone = [key for key, one in self._attached.items() if pod_uids(one.pod.metadata.uid)]
        for key in gone:
            del self._attached[key]
        if gone:
            self._dirty.poke()

    async def run(self) -> None:
        """Apply the first whole state, then every change, until cancelled."""
        await self._policies.wait_synced()
        self._dirty.poke()
        async with Tasks("policies", self._clock) as tasks:
            _ = tasks.spawn("drift", self._heal())
            while True:
                await self._dirty.wait()
                if len(self._policies.cache):
                    await self._while_needed()
                else:
                    await self._try(Firewall())

    async def _while_needed(self) -> None:
        """Watch everybody for as long as there are policies."""
        everybody = Informers(self._client, self._clock)
        pods, namespaces = everybody.of(POD), everybody.of(NAMESPACE)
        async with Tasks("policy peers", self._clock) as tasks:
            everybody.start(tasks)
            await everybody.wait_synced()
            pods.on_change(self._pod_changed)
            namespaces.on_change(self._namespace_changed)
            self._dirty.poke()
            while len(self._policies.cache):
                await self._dirty.wait()
                asked = self._asked
                found = members(pods.cache.list(), self._node_name, self._attached)
                labels = {n.metadata.name: n.metadata.labels for n in namespaces.cache.list()}
                wanted = compile_policies(self._policies.cache.list(), found, labels)
                if await self._try(wanted):
                    async with self._done:
                        self._covered = asked
                        self._done.notify_all()
        self._dirty.poke()

    async def _try(self, wanted: Firewall) -> bool:
        failures = 0
        while True:
            try:
                await self._guard.apply(wanted)
            except NetworkFault as fault:
                failures += 1
                pause = PAUSES.delay(failures)
                log.warning("network policies can't be applied", why=str(fault), again_in_s=pause)
                await self._clock.sleep(pause)
                self._dirty.poke()
                if failures > 1:
                    return False  # perhaps what is wanted is another thing by now
            else:
                log.debug("network policies applied", guarded=sum(map(len, wanted.maps.values())))
                return True

    async def _heal(self) -> None:
        """What others undo is done again."""
        while True:
            await self._guard.lost()
            self._dirty.poke()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is None or new is None or _seen(old) != _seen(new):
            self._dirty.poke()

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if old is None or new is None or old.metadata.labels != new.metadata.labels:
            self._dirty.poke()


def _seen(pod: Pod) -> tuple[object, ...]:
    """What policies look at; other changes of a pod, of which there are many, are passed over."""
    return pod.metadata.uid, pod.metadata.labels, pod.status.podIPs, pod.status.phase
