"""Authentication: who asks, from the TLS client certificate or a bearer token.

Called once per request by `control.http.middleware`. A certificate has been checked against the
client CA by TLS before it gets here; its subject is the user (CN) with groups (O), as upstream
reads it. A token is a static one or a service account's.
Bounded by: `_CERTIFICATES_KEPT` parsed certificates.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol

from cryptography import x509
from cryptography.x509.oid import NameOID

from appliance.api.errors import Unauthorized
from appliance.control.access.tokens.accounts import (
    ISSUER,
    AccountTokens,
    Identified,
    UnknownToken,
)
from appliance.control.registry.base import User

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = User(name="system:anonymous", groups=(UNAUTHENTICATED,))

_CERTIFICATES_KEPT = 512  # one per node and admin; parsing is cheap, so a miss is fine
_NOBODYS = "invalid bearer token"


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A bearer token and whom it stands for."""

    token: str = field(repr=False)
    user: User


class Authenticator(Protocol):
    """Turns credentials into a user."""

    async def authenticate(self, authorization: str, certificate_der: bytes | None) -> User:
        """Name the user behind an Authorization header and a verified client certificate.

        Raises:
            Unauthorized: credentials were given, but nobody knows them.
        """
        ...

    async def identify(self, token: str, audiences: Sequence[str]) -> Identified:
        """Say whose a token is, for a review.

        Raises:
            UnknownToken: nobody's, or for others.
        """
        ...


class CertificatesAndTokens:
    """Client certificates first, then bearer tokens, then anonymous."""

    def __init__(
        self, tokens: Sequence[StaticToken] = (), accounts: AccountTokens | None = None
    ) -> None:
        self._tokens = tuple(tokens)
        self._accounts = accounts

    async def authenticate(self, authorization: str, certificate_der: bytes | None) -> User:
        """See `Authenticator`; a known certificate wins over a token, as upstream."""
        if certificate_der is not None:
            return user_of_certificate(certificate_der)
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        # An empty token or another scheme counts as no credentials at all, as upstream.
        if scheme.lower() != "bearer" or not token:
            return ANONYMOUS
        try:
            return (await self.identify(token, ())).user
        except UnknownToken:
            raise Unauthorized("Unauthorized") from None

    async def identify(self, token: str, audiences: Sequence[str]) -> Identified:
        """See `Authenticator`."""
        static = self._static(token)
        if static is not None:
            # These are for the API server alone.
            meant = [a for a in audiences or (ISSUER,) if a == ISSUER]
            if not meant:
                raise UnknownToken(_NOBODYS)
            return Identified(_authenticated(static), tuple(meant))
        if self._accounts is None or not self._accounts.is_ours(token):
            raise UnknownToken(_NOBODYS)
        try:
            found = await self._accounts.identify(token, audiences)
        except UnknownToken as error:
            raise UnknownToken(f"[{_NOBODYS}, {error}]") from error
        return Identified(_authenticated(found.user), found.audiences)

    def _static(self, token: str) -> User | None:
        given = token.encode()
        found: User | None = None
        # Every token is compared, always in full: the time taken tells nothing about any of them.
        for known in self._tokens:
            if hmac.compare_digest(known.token.encode(), given):
                found = known.user
        return found


@lru_cache(maxsize=_CERTIFICATES_KEPT)
def user_of_certificate(der: bytes) -> User:
    """Read user and groups from the subject of a certificate.

    Raises:
        Unauthorized: the certificate names nobody.
    """
    subject = x509.load_der_x509_certificate(der).subject
    names = [str(a.value) for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if not names or not names[0]:
        raise Unauthorized("Unauthorized")
    groups = [str(a.value) for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return _authenticated(User(name=names[0], groups=tuple(groups)))


def _authenticated(user: User) -> User:
    if AUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))
