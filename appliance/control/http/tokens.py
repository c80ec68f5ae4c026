"""POST serviceaccounts/<name>/token, and the documents by which others check such tokens.

Routed by `app` and `subresources`. Source: OpenID Connect Discovery 1.0, RFC 7517.
"""

from dataclasses import dataclass

from appliance.api import codec
from appliance.api.errors import NotFound
from appliance.api.kinds.authentication.tokenrequest import GROUP_VERSION, TokenRequest
from appliance.control.access.tokens.accounts import AccountTokens
from appliance.control.access.tokens.requests import TokenMaker, check
from appliance.control.http.bodies import Expected, decode_object
from appliance.control.http.exchange import Exchange
from appliance.control.http.managers import note_manager
from appliance.control.http.resources import begin_write
from appliance.kit import jsonio
from appliance.kit.clock import Clock, rfc3339

_EXPECTED = Expected(TokenRequest, "TokenRequest", GROUP_VERSION)
DISCOVERY_PATH, KEYS_PATH = "/.well-known/openid-configuration", "/openid/v1/jwks"
_CACHED = ((b"cache-control", b"public, max-age=3600"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDoor:
    """Answers requests for tokens and for the keys that they are signed with."""

    tokens: AccountTokens
    maker: TokenMaker
    clock: Clock

    async def create(self, exchange: Exchange) -> None:
        """Give a token of the account that the URL names."""
        target = exchange.target
        call = begin_write(exchange, "CreateOptions")
        raw = await exchange.body()
        request = decode_object(_EXPECTED, raw, exchange.header(b"content-type"), call)
        request.kind, request.apiVersion = "TokenRequest", GROUP_VERSION
        account = await self.maker.account(target.namespace, target.name)
        check(request, account)
        now = self.clock.wall()
        note_manager(request, call, now=now, subresource="token")
        request.metadata.creationTimestamp = rfc3339(now)
        await self.maker.fill(request, account, exchange.user)
        await exchange.answer(codec.encode(request), code=201, form=exchange.form())

    async def discovery(self, exchange: Exchange) -> None:
        """Say who signs, and where the keys are."""
        document = {
            "issuer": self.tokens.issuer,
            "jwks_uri": f"{self.tokens.issuer}{KEYS_PATH}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }
        await exchange.answer_bytes(jsonio.dumps(document), b"application/json", extra=_CACHED)

    async def keys(self, exchange: Exchange) -> None:
        """Give the keys."""
        body = jsonio.dumps({"keys": self.tokens.keys()})
        await exchange.answer_bytes(body, b"application/jwk-set+json", extra=_CACHED)


async def no_tokens(exchange: Exchange) -> None:
    """Answer where the server was put together without a key."""
    raise NotFound(f"{exchange.target.path}: this server signs no tokens")
