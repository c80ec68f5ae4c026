"""`GuardedNetwork`: a pod network whose new pods are guarded by policies before they start.

Assembly puts it around the node's network; the pod workers see a `Network` like any other.
"""

from appliance.node.network.base import Attachment, Network, PodLink
from appliance.node.network.policies.loop import PolicyLoop


class GuardedNetwork:
    """A network and the policies of its pods."""

    def __init__(self, network: Network, policies: PolicyLoop) -> None:
        self._network = network
        self._policies = policies

    async def set_up(self, pod_cidr: str) -> None:
        """See `Network`."""
        await self._network.set_up(pod_cidr)

    async def attach(self, link: PodLink) -> Attachment:
        """See `Network`.

        Raises:
            NetworkFault: no address, or the pod's policies can't be put in force.
        """
        attachment = await self._network.attach(link)
        if link.pod is not None:
            await self._policies.cover(link.pod, attachment.address)
        return attachment

    async def detach(self, pod_uid: str) -> None:
        """See `Network`."""
        await self._network.detach(pod_uid)
        self._policies.forget(lambda uid: uid == pod_uid)

    async def keep_only(self, pod_uids: frozenset[str]) -> None:
        """See `Network`."""
        await self._network.keep_only(pod_uids)
        self._policies.forget(lambda uid: uid not in pod_uids)

    async def clean_up(self) -> None:
        """See `Network`."""
        await self._network.clean_up()
