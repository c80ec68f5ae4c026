"""`FakeNetwork`: addresses in memory, for tests and for the runtime without an engine."""

import ipaddress
from itertools import count

from appliance.node.network.base import Attachment, NoAddressLeft, PodLink


class FakeNetwork:
    """Hands out addresses of a range in order; touches no interface."""

    def __init__(self) -> None:
        self._range = ipaddress.ip_network("10.42.0.0/24")
        self._next = count(2)
        self.attached: dict[str, str] = {}
        """Address by pod uid."""

    async def set_up(self, pod_cidr: str) -> None:
        """Remember the range."""
        self._range = ipaddress.ip_network(pod_cidr)

    async def attach(self, link: PodLink) -> Attachment:
        """The next address, or the one that the pod has."""
        if link.pod_uid not in self.attached:
            offset = next(self._next)
            if offset >= self._range.num_addresses - 1:
                raise NoAddressLeft(f"all addresses of {self._range} were handed out")
            self.attached[link.pod_uid] = str(self._range[offset])
        return Attachment(self.attached[link.pod_uid], str(self._range[1]), self._range.prefixlen)

    async def detach(self, pod_uid: str) -> None:
        """Forget it."""
        self.attached.pop(pod_uid, None)

    async def keep_only(self, pod_uids: frozenset[str]) -> None:
        """Forget all others."""
        self.attached = {u: a for u, a in self.attached.items() if u in pod_uids}

    async def clean_up(self) -> None:
        """Forget all."""
        self.attached.clear()
