"""One name, one key: a token must not be enough to become a node that is there already.

The hash of a node's key lies in a Secret `node-key-<name>` in kube-system. While the Node exists,
its name goes only with that key (or with a certificate of that node, when keys are changed);
`kubectl delete node` frees the name for a host that was set up anew.
"""

from appliance.api.errors import AlreadyExists, Cause, Details, Forbidden, NotFound
from appliance.api.joining import NAME_TAKEN
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.secret import SECRET, Secret
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, clone

NAMESPACE = "kube-system"
TYPE = "appliance/node-key"
_HASH = "sha256"


class Identities:
    """Remembers which key a node has."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def claim(self, node: str, key_hash: str, *, proven: bool) -> None:
        """Give the name to the key; `proven` callers are that node already.

        Raises:
            Forbidden: the name is another key's.
            Conflict: another host claims it at this moment.
        """
        known = await self._known(node)
        if known is not None and known.data.get(_HASH) == key_hash.encode():
            return
        if not proven and await self._exists(node):
            message = (
                f'node "{node}" is there already and has another key: choose another --node-name, '
                f"or, if this host was set up anew, run `kubectl delete node {node}` and try again"
            )
            raise Forbidden(message, Details(causes=[Cause(NAME_TAKEN, message)]))
        if known is not None:
            changed = clone(known)
            changed.data = {_HASH: key_hash.encode()}
            await self._client.update(SECRET, changed)
            return
        meta = ObjectMeta(name=f"node-key-{node}", namespace=NAMESPACE)
        made = Secret(type=TYPE, metadata=meta, data={_HASH: key_hash.encode()})
        try:
            await self._client.create(SECRET, made)
        except AlreadyExists:
            await self.claim(node, key_hash, proven=proven)

    async def _known(self, node: str) -> Secret | None:
        try:
            return await self._client.get(SECRET, f"node-key-{node}", NAMESPACE)
        except NotFound:
            return None

    async def _exists(self, node: str) -> bool:
        try:
            await self._client.get(NODE, node)
        except NotFound:
            return False
        return True
