"""Tokens that let a node join: their text, and the Secret that remembers them. Pure.

    K10<sha256 of the server CA's PEM file>::<id>.<secret>

The hash pins the CA: whoever holds a token knows the right master before saying the secret. What
follows `::` is sent to it. `K10<hash>::server:<word>` carries the word of the file `server/token`
in the same way, and a token without the first part pins nothing.

At rest there is a Secret `bootstrap-token-<id>` in kube-system with a hash of the secret; a
secret has 82 bits of chance in it, so one round of SHA-256 is enough.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from appliance.api.kinds.core.secret import Secret
from appliance.api.meta import ObjectMeta
from appliance.kit.clock import parse_rfc3339, rfc3339

NAMESPACE = "kube-system"
TYPE = "bootstrap.kubernetes.io/token"
ID_LENGTH = 6
SECRET_LENGTH = 16
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

_PINNED = re.compile(r"K10([0-9a-f]{64})::(?:[a-z]+:)?(\S+)")
_BEARER = re.compile(r"([a-z0-9]{6})\.[a-z0-9]{16}")
_DIGEST = "token-secret-sha256"


@dataclass(frozen=True, slots=True)
class JoinToken:
    """What a token's text says: the hash of the CA ("" pins none), and what the master is told."""

    ca_hash: str
    bearer: str = field(repr=False)

    def text(self) -> str:
        """As people copy it."""
        return f"K10{self.ca_hash}::{self.bearer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A token as the cluster remembers it; `expires` in seconds since 1970, None is never."""

    id: str
    description: str
    expires: float | None
    digest: str

    def expired(self, now: float) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= now

    def matches(self, bearer: str) -> bool:
        """Whether the bearer knows the secret; takes the same time either way."""
        return hmac.compare_digest(self.digest, digest(bearer))


def parse(text: str) -> JoinToken:
    """Read a token.

    Raises:
        ValueError: it is empty, or begins like a token and does not go on like one.
    """
    text = text.strip()
    if found := _PINNED.fullmatch(text):
        return JoinToken(found[1], found[2])
    if not text or text.startswith("K10") or len(text.split()) != 1:
        raise ValueError("a token looks like K10<64 hex digits>::<id>.<secret>; copy it whole")
    return JoinToken("", text)


def ca_hash(ca_pem: bytes) -> str:
    """What a token says of a CA."""
    return hashlib.sha256(ca_pem).hexdigest()


def digest(bearer: str) -> str:
    """What is remembered of a token."""
    return hashlib.sha256(bearer.encode()).hexdigest()


def id_of(bearer: str) -> str:
    """The id in `<id>.<secret>`, "" if it is no such thing."""
    found = _BEARER.fullmatch(bearer)
    return found[1] if found else ""


def secret_name(token_id: str) -> str:
    """Name of the Secret of a token."""
    return f"bootstrap-token-{token_id}"


def to_secret(bearer: str, *, description: str, expires: float | None) -> Secret:
    """What to store for a new token."""
    data = {
        "token-id": id_of(bearer).encode(),
        _DIGEST: digest(bearer).encode(),
        "description": description.encode(),
    }
    if expires is not None:
        data["expiration"] = rfc3339(expires).encode()
    name = secret_name(id_of(bearer))
    return Secret(type=TYPE, metadata=ObjectMeta(name=name, namespace=NAMESPACE), data=data)


def from_secret(secret: Secret) -> Entry:
    """Read what is stored.

    Raises:
        ValueError: it is not a token of ours.
    """
    text = {key: value.decode(errors="replace") for key, value in secret.data.items()}
    if secret.type != TYPE or not text.get("token-id") or not text.get(_DIGEST):
        raise ValueError(f"Secret {secret.metadata.name} holds no join token")
    expiration = text.get("expiration", "")
    return Entry(
        id=text["token-id"],
        description=text.get("description", ""),
        expires=parse_rfc3339(expiration) if expiration else None,
        digest=text[_DIGEST],
    )
