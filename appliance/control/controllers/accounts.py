"""What every namespace has: the ServiceAccount `default` and the cluster's CA as a ConfigMap.

Both are made anew when deleted; the ConfigMap is put right when somebody edits it. Pods wait for
both: the account is required at admission, the CA is mounted beside the token.
"""

from collections.abc import Callable, Iterable, Sequence

from appliance.api.errors import AlreadyExists, NotFound
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import KubeObject, ObjectMeta
from appliance.client.base import Client, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers

ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"
NOTE = {
    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the "
    "kube-apiserver when using internal endpoints such as the internal service IP or "
    "kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
}
"""Clients read this annotation; its text is upstream's."""


class Accounts:
    """Furnishes namespaces."""

    name = "accounts"

    def __init__(self, client: Client, informers: Informers, *, root_ca_pem: str) -> None:
        self._client = client
        self._root_ca_pem = root_ca_pem
        self._namespaces = informers.of(NAMESPACE)
        self._accounts = informers.of(SERVICE_ACCOUNT)
        self._maps = informers.of(CONFIG_MAP)

    def watches(self) -> Sequence[Watch]:
        """Namespaces and the two objects in them."""
        return [
            Watch(self._namespaces, lambda namespace: [key_of(namespace)]),
            Watch(self._accounts, _namespace_if(ACCOUNT)),
            Watch(self._maps, _namespace_if(ROOT_CA)),
        ]

    async def reconcile(self, key: str) -> Result:
        """Put into a namespace what is missing."""
        namespace = self._namespaces.cache.get(key)
        if namespace is None or _is_going(namespace):
            return DONE
        if self._accounts.cache.get(f"{key}/{ACCOUNT}") is None:
            await self._make_account(key)
        await self._put_root_ca(key)
        return DONE

    async def _make_account(self, namespace: str) -> None:
        account = ServiceAccount(metadata=ObjectMeta(name=ACCOUNT, namespace=namespace))
        try:
            await self._client.create(SERVICE_ACCOUNT, account, namespace=namespace)
        except AlreadyExists:
            return  # our cache was behind

    async def _put_root_ca(self, namespace: str) -> None:
        wanted = {"ca.crt": self._root_ca_pem}
        current = self._maps.cache.get(f"{namespace}/{ROOT_CA}")
        if current is None:
            made = ConfigMap(
                metadata=ObjectMeta(name=ROOT_CA, namespace=namespace, annotations=NOTE),
                data=wanted,
            )
            try:
                await self._client.create(CONFIG_MAP, made, namespace=namespace)
            except AlreadyExists:
                return
        elif current.data != wanted or current.binaryData:
            changed = clone(current)
            changed.data = wanted
            changed.binaryData = {}
            try:
                await self._client.update(CONFIG_MAP, changed)
            except NotFound:
                return  # deleted meanwhile: the news of that wakes us


def _is_going(namespace: Namespace) -> bool:
    return namespace.metadata.deletionTimestamp is not None


def _namespace_if(name: str) -> Callable[[KubeObject], Iterable[str]]:
    return lambda obj: (obj.metadata.namespace,) if obj.metadata.name == name else ()
