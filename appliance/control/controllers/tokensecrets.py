"""Secrets of type kubernetes.io/service-account-token: filled with a token, gone with the account.

Users make such a Secret where a program outside the cluster needs a token without an end; its
annotation names the account.
Source: kubernetes `pkg/controller/serviceaccount/tokens_controller.go`.
"""

from collections.abc import Callable, Sequence

from appliance.api.errors import NotFound
from appliance.api.kinds.core.secret import ACCOUNT_NAME, ACCOUNT_TOKEN, SECRET, Secret
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.client.base import Client, DeleteOptions, Where, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers

ACCOUNT_UID = "kubernetes.io/service-account.uid"

Sign = Callable[[str, ServiceAccount], str]
"""Makes the token that lies in the Secret of that name."""


class TokenSecrets:
    """Fills and removes them."""

    name = "token-secrets"

    def __init__(
        self, client: Client, informers: Informers, *, root_ca_pem: str, sign: Sign
    ) -> None:
        self._client = client
        self._root_ca_pem = root_ca_pem
        self._sign = sign
        self._secrets = informers.of(SECRET, Where(fields=f"type={ACCOUNT_TOKEN}"))
        self._accounts = informers.of(SERVICE_ACCOUNT)

    def watches(self) -> Sequence[Watch]:
        """The Secrets, and the accounts that they name."""
        return [
            Watch(self._secrets, lambda secret: [key_of(secret)]),
            Watch(self._accounts, self._secrets_of),
        ]

    async def reconcile(self, key: str) -> Result:
        """Bring one Secret in line with its account."""
        secret = self._secrets.cache.get(key)
        if secret is None or secret.metadata.deletionTimestamp is not None:
            return DONE
        account = await self._account_of(secret)
        named = secret.metadata.annotations.get(ACCOUNT_UID, "")
        if account is None or named not in ("", account.metadata.uid):
            await self._delete(secret)
        elif not _is_filled(secret, self._root_ca_pem):
            await self._fill(secret, account)
        return DONE

    async def _account_of(self, secret: Secret) -> ServiceAccount | None:
        meta = secret.metadata
        name = meta.annotations.get(ACCOUNT_NAME, "")
        found = self._accounts.cache.get(f"{meta.namespace}/{name}")
        if found is not None:
            return found
        try:  # the two may come in one manifest: what is not in the cache need not be missing
            return await self._client.get(SERVICE_ACCOUNT, name, meta.namespace)
        except NotFound:
            return None

    async def _fill(self, secret: Secret, account: ServiceAccount) -> None:
        new = clone(secret)
        meta = new.metadata
        meta.annotations = {**meta.annotations, ACCOUNT_UID: account.metadata.uid}
        data = {
            "ca.crt": self._root_ca_pem.encode(),
            "namespace": meta.namespace.encode(),
        }
        if not new.data.get("token"):
            data["token"] = self._sign(meta.name, account).encode()
        new.data = {**new.data, **data}
        await self._client.update(SECRET, new)

    async def _delete(self, secret: Secret) -> None:
        meta = secret.metadata
        options = DeleteOptions(uid=meta.uid)
        try:
            await self._client.delete(SECRET, meta.name, namespace=meta.namespace, options=options)
        except NotFound:
            return

    def _secrets_of(self, account: ServiceAccount) -> list[str]:
        meta = account.metadata
        return [
            key_of(secret)
            for secret in self._secrets.cache.list(meta.namespace)
            if secret.metadata.annotations.get(ACCOUNT_NAME) == meta.name
        ]


def _is_filled(secret: Secret, ca_pem: str) -> bool:
    return (
        ACCOUNT_UID in secret.metadata.annotations
        and bool(secret.data.get("token"))
        and bool(secret.data.get("namespace"))
        and secret.data.get("ca.crt") == ca_pem.encode()
    )
