"""Asks a webhook over HTTPS, on a connection of its own.

Called by the webhook steps; bounds: `timeoutSeconds` of the webhook, answers of `_ANSWER_BYTES`.
"""

import ssl
from functools import lru_cache
from typing import Any, Protocol

import httpx

from appliance.api.kinds.admissionregistration.webhook_parts import WebhookClientConfig
from appliance.api.kinds.core.service import SERVICE
from appliance.control.registry.base import Lookup
from appliance.kit import jsonio

_ANSWER_BYTES = 3 * 1024 * 1024


class CallFailed(Exception):
    """The webhook could not be asked, or did not answer as it should."""


class Ask(Protocol):
    """Sends a question and gives the bytes of the answer."""

    async def __call__(self, config: WebhookClientConfig, body: Any, timeout_s: float) -> bytes:
        """Ask.

        Raises:
            CallFailed: there is no answer.
        """
        ...


class HttpsCaller:
    """The real one."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def __call__(self, config: WebhookClientConfig, body: Any, timeout_s: float) -> bytes:
        """See `Ask`."""
        url, host = await self._place(config)
        headers = {"content-type": "application/json"} | ({"host": host} if host else {})
        try:
            async with httpx.AsyncClient(verify=_trust(config.caBundle), trust_env=False) as client:
                answer = await client.post(
                    url,
                    content=jsonio.dumps(body),
                    headers=headers,
                    timeout=timeout_s,
                    extensions={"sni_hostname": host} if host else {},
                )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise CallFailed(f'Post "{url}": {str(error) or type(error).__name__}') from error
        if answer.status_code != 200:
            raise CallFailed(f"the server answered {answer.status_code}")
        if len(answer.content) > _ANSWER_BYTES:
            raise CallFailed("the answer is too large")
        return answer.content

    async def _place(self, config: WebhookClientConfig) -> tuple[str, str]:
        """URL, and the name that the certificate must have where the URL holds an address."""
        if config.url is not None:
            return config.url, ""
        service = config.service
        if service is None:
            raise CallFailed("neither url nor service is given")
        name = f"{service.name}.{service.namespace}.svc"
        found = await self._lookup.find(SERVICE, service.namespace, service.name)
        if found is None or found.spec.clusterIP in {"", "None"}:
            raise CallFailed(f'service "{service.name}" not found')
        path = service.path or "/"
        return f"https://{found.spec.clusterIP}:{service.port or 443}{path}", name


@lru_cache(maxsize=64)
def _trust(ca_pem: bytes) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=ca_pem.decode() if ca_pem else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise CallFailed(f"unable to load root certificates: {error}") from error
