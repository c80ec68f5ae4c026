"""Who we are as a member of a cluster of one, and the headers that say so in every answer."""

from dataclasses import dataclass

from appliance.store.base import Range, Store
from appliance.store.serve.messages.kv import ResponseHeader

VERSION = "3.6.14"
"""The etcd release whose behaviour we answer with; clients switch features on by it."""
CLUSTER_VERSION = "3.6.0"
_RAFT_TERM = 2  # what a member that was elected once, by itself, has


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The one member."""

    cluster_id: int
    member_id: int
    name: str = "default"
    client_urls: tuple[str, ...] = ()
    peer_urls: tuple[str, ...] = ("http://localhost:2380",)
    """etcd's default; nobody listens there, but clients show it."""
    raft_term: int = _RAFT_TERM

    def header(self, revision: int = 0) -> ResponseHeader:
        """The header of an answer made at a revision."""
        return ResponseHeader(
            cluster_id=self.cluster_id,
            member_id=self.member_id,
            revision=revision,
            raft_term=self.raft_term,
        )


async def current_revision(store: Store) -> int:
    """The newest revision; as cheap as a look at one key."""
    return (await store.range(Range(key=b"\x00", count_only=True))).revision
