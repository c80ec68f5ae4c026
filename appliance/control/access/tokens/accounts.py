"""`AccountTokens`: signs tokens of service accounts and says whose a token is.

A signature alone is not enough: account and object that a token names must still be there, with
the same uid. Asked for each request with such a token; the objects come from the registry's
caches. Kept: the content of the last `_TOKENS_KEPT` tokens whose signature was good.
Source: kubernetes `pkg/serviceaccount/{jwt,claims,legacy}.go`.
"""

import hmac
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance.api.kind import Kind
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.secret import SECRET
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.control.access.accounts import account_user, user_of
from appliance.control.access.tokens.claims import (
    LEGACY_ISSUER,
    Bound,
    Claims,
    Ref,
    read_claims,
    write_claims,
)
from appliance.control.registry.base import Lookup, User
from appliance.kit.clock import Clock, parse_rfc3339
from appliance.kit.jws import BadSignature, SigningKey, parts_of, verify

ISSUER = "https://kubernetes.default.svc"
"""Also the audience that stands for the API server itself."""

_TOKENS_KEPT = 1024  # two kilobytes each, and more clients than a small cluster has
_LEEWAY_S = 10  # clocks of masters over one database differ
_GONE_GRACE_S = 60  # a pod that stops may still report for as long after its grace, as upstream

CREDENTIAL, POD_NAME, POD_UID, NODE_NAME, NODE_UID = (
    f"authentication.kubernetes.io/{name}"
    for name in ("credential-id", "pod-name", "pod-uid", "node-name", "node-uid")
)


class UnknownToken(ValueError):
    """It is not good; `str()` says why, for TokenReviews only."""


@dataclass(frozen=True, slots=True)
class Identified:
    """Whose a token is, and which of the audiences asked about it is for."""

    user: User
    audiences: tuple[str, ...]


class AccountTokens:
    """See the module."""

    def __init__(
        self, key_pem: bytes, lookup: Lookup, clock: Clock, *, issuer: str = ISSUER
    ) -> None:
        self._key = SigningKey(key_pem)
        self._keys = (self._key.verifying,)
        self._lookup = lookup
        self._clock = clock
        self._known: OrderedDict[str, Claims] = OrderedDict()
        self.issuer = issuer

    def keys(self) -> list[dict[str, str]]:
        """The public keys, for those who check tokens themselves (JWKS)."""
        return [key.jwk() for key in self._keys]

    def sign(self, claims: Claims) -> str:
        """Make a token."""
        return self._key.sign(write_claims(claims))

    def sign_legacy(self, secret: str, account: ServiceAccount) -> str:
        """Make the token that lies in the Secret of that name."""
        meta = account.metadata
        claims = Claims(
            iss=LEGACY_ISSUER,
            legacy_namespace=meta.namespace,
            legacy_secret=secret,
            legacy_name=meta.name,
            legacy_uid=meta.uid,
            sub=account_user(meta.namespace, meta.name),
        )
        return self.sign(claims)

    def is_ours(self, token: str) -> bool:
        """Whether a token says that it comes from here; it may lie."""
        try:
            _, payload, _ = parts_of(token)
            return read_claims(payload).iss in (self.issuer, LEGACY_ISSUER)
        except ValueError:
            return False

    async def identify(self, token: str, audiences: Sequence[str] = ()) -> Identified:
        """Say whose a token is; without audiences it must be for the API server.

        Raises:
            UnknownToken: it is not good, or not any more.
        """
        claims = self._verified(token)
        wanted = list(audiences) or [self.issuer]
        if claims.iss == LEGACY_ISSUER:
            # such tokens are for whoever asks on behalf of this API server
            meant = [a for a in wanted if a == self.issuer]
            user = await self._user_of_legacy(claims, token)
        else:
            meant = [a for a in wanted if a in claims.aud]
            user = await self._user_of_bound(claims)
        if not meant:
            shown = " ".join(f'"{a}"' for a in claims.aud)
            asked = " ".join(f'"{a}"' for a in wanted)
            raise UnknownToken(
                f"token audiences [{shown}] is invalid for the target audiences [{asked}]"
            )
        return Identified(user, tuple(meant))

    def _verified(self, token: str) -> Claims:
        claims = self._known.get(token)
        if claims is None:
            try:
                claims = read_claims(verify(token, self._keys))
            except (BadSignature, ValueError) as error:
                raise UnknownToken(str(error)) from error
            self._known[token] = claims
            if len(self._known) > _TOKENS_KEPT:
                self._known.popitem(last=False)
        return claims

    async def _user_of_bound(self, claims: Claims) -> User:
        now, bound = self._clock.wall(), claims.bound
        if claims.iss != self.issuer or bound is None or not claims.exp:
            raise UnknownToken("not a token of this cluster")
        if now >= claims.exp:
            raise UnknownToken("service account token has expired")
        if now < claims.nbf - _LEEWAY_S:
            raise UnknownToken("service account token is not valid yet")
        await self._alive(SERVICE_ACCOUNT, bound.namespace, bound.serviceaccount)
        extra: dict[str, tuple[str, ...]] = {}
        if claims.jti:
            extra[CREDENTIAL] = (f"JTI={claims.jti}",)
        if bound.secret is not None:
            await self._alive(SECRET, bound.namespace, bound.secret)
        if bound.pod is not None:
            await self._alive(POD, bound.namespace, bound.pod)
            extra |= {POD_NAME: (bound.pod.name,), POD_UID: (bound.pod.uid,)}
        if bound.node is not None:
            if bound.pod is None:
                await self._alive(NODE, "", bound.node)
            extra[NODE_NAME] = (bound.node.name,)
            if bound.node.uid:
                extra[NODE_UID] = (bound.node.uid,)
        return _user(bound, extra)

    async def _user_of_legacy(self, claims: Claims, token: str) -> User:
        namespace, ref = claims.legacy_namespace, Ref(claims.legacy_name, claims.legacy_uid)
        secret = await self._lookup.find(SECRET, namespace, claims.legacy_secret)
        if secret is None or secret.metadata.deletionTimestamp is not None:
            raise UnknownToken("Token has been invalidated")
        if not hmac.compare_digest(secret.data.get("token", b""), token.encode()):
            raise UnknownToken("Token does not match server's copy")
        await self._alive(SERVICE_ACCOUNT, namespace, ref)
        return _user(Bound(namespace=namespace, serviceaccount=ref), {})

    async def _alive(self, kind: Kind[Any], namespace: str, ref: Ref) -> None:
        found = await self._lookup.find(kind, namespace, ref.name)
        if found is None or found.metadata.uid != ref.uid:
            raise UnknownToken("service account token has been invalidated")
        deleted = found.metadata.deletionTimestamp
        if deleted is not None and self._clock.wall() > parse_rfc3339(deleted) + _GONE_GRACE_S:
            raise UnknownToken("service account token has been invalidated")


def _user(bound: Bound, extra: dict[str, tuple[str, ...]]) -> User:
    account = bound.serviceaccount
    user = user_of(bound.namespace, account.name, account.uid)
    return User(name=user.name, groups=user.groups, uid=user.uid, extra=extra)
