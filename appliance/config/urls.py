"""Addresses to listen on, written as etcd writes them: `http://127.0.0.1:2379,https://…`."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

_REMEDY = "must be like http://127.0.0.1:2379; several are separated by commas"


@dataclass(frozen=True, slots=True)
class ListenUrl:
    """One address; `host` may be a name such as localhost."""

    scheme: str
    host: str
    port: int

    @property
    def is_open(self) -> bool:
        """Whether anyone who reaches the host gets in: no TLS, and not on loopback alone."""
        return self.scheme == "http" and not _is_loopback(self.host)


def listen_urls(text: str) -> tuple[ListenUrl, ...]:
    """All addresses; none for an empty text.

    Raises:
        ValueError: one is malformed; the text says what it must be.
    """
    return tuple(_one(part.strip()) for part in text.split(",") if part.strip())


def _one(text: str) -> ListenUrl:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(_REMEDY) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port is None:
        raise ValueError(_REMEDY)
    if parts.path not in {"", "/"} or parts.query:
        raise ValueError(_REMEDY)
    return ListenUrl(parts.scheme, parts.hostname, port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
