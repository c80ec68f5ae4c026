"""How other API servers know that a request comes from us, and on whose behalf.

They read a ConfigMap, `extension-apiserver-authentication`, which names the authority that our
client certificate is signed by and the headers that tell who asks.
Source: kube-apiserver `pkg/controlplane/controller/clusterauthenticationtrust`.
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from appliance.api import errors
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, clone
from appliance.control.registry.base import User

NAME, NAMESPACE = "extension-apiserver-authentication", "kube-system"
FRONT_PROXY = "front-proxy-client"
"""Common name of our certificate towards other API servers."""


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """Files of our certificate towards other API servers."""

    cert: Path
    key: Path

    def context(self, ca_pem: bytes, *, looks_away: bool) -> ssl.SSLContext:
        """Trust in whoever has a certificate by this authority, or in everybody.

        Raises:
            ValueError: the authority's certificate is none.
        """
        return _context(self.cert, self.key, ca_pem, looks_away)


@lru_cache(maxsize=64)
def _context(cert: Path, key: Path, ca_pem: bytes, looks_away: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=ca_pem.decode() if ca_pem else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ValueError(f"unable to load root certificates: {error}") from error
    if looks_away:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(cert, key)
    return context


def headers_about(user: User) -> Iterator[tuple[str, str]]:
    """Tell who asks."""
    yield "x-remote-user", user.name
    if user.uid:
        yield "x-remote-uid", user.uid
    for group in user.groups:
        yield "x-remote-group", group
    for name, values in user.extra.items():
        for value in values:
            yield f"x-remote-extra-{quote(name.lower(), safe='')}", value


async def publish(client: Client, *, client_ca_pem: bytes, front_ca_pem: bytes) -> None:
    """Write down whom other API servers may believe."""
    data = {
        "client-ca-file": client_ca_pem.decode(),
        "requestheader-allowed-names": f'["{FRONT_PROXY}"]',
        "requestheader-client-ca-file": front_ca_pem.decode(),
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-uid-headers": '["X-Remote-Uid"]',
        "requestheader-username-headers": '["X-Remote-User"]',
    }
    meta = ObjectMeta(name=NAME, namespace=NAMESPACE)
    try:
        await client.create(CONFIG_MAP, ConfigMap(metadata=meta, data=data))
    except errors.AlreadyExists:
        found = await client.get(CONFIG_MAP, NAME, NAMESPACE)
        if found.data != data:
            changed = clone(found)
            changed.data = data
            await client.update(CONFIG_MAP, changed)
