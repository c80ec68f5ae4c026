"""The two pages by which hosts join: the CA for anybody, certificates for who has a token.

Made by `assembly`; `control/http` lets both through unasked, since they ask for themselves.
Bounded by: `_BODY_BYTES` per request, `_BUSY` signatures at once, and wrong tokens per address:
`_WRONG_BURST` at once, then one in `1 / _WRONG_PER_S` seconds.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import structlog

from appliance.api.errors import (
    BadRequest,
    Details,
    Forbidden,
    MethodNotAllowed,
    TooManyRequests,
    Unauthorized,
)
from appliance.api.joining import CA_PATH, CSR_PATH, JoinAnswer, JoinRequest
from appliance.api.kinds.core.node import NODE
from appliance.client.base import Client
from appliance.control.access.authn import user_of_certificate
from appliance.control.access.nodes import NODE_PREFIX, NODES
from appliance.control.http.exchange import Exchange
from appliance.control.http.middleware import Handle, certificate_of
from appliance.control.joining.certificates import Authorities, check_names, checked_key, sign
from appliance.control.joining.identity import Identities
from appliance.control.joining.tokens import Tokens
from appliance.kit.clock import Clock
from appliance.kit.pki import public_key_hash
from appliance.kit.ratelimit import RateLimit

log = structlog.get_logger(__name__)

_BODY_BYTES = 16 * 1024
_BUSY = 4
_WRONG_BURST = 10
_WRONG_PER_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What every node must know of the cluster; `api_names` are the API server's own."""

    cluster_cidr: str
    service_cidr: str
    cluster_dns: str
    cluster_domain: str
    api_names: frozenset[str]


class Door:
    """Answers the join pages."""

    def __init__(
        self,
        client: Client,
        tokens: Tokens,
        *,
        facts: Facts,
        authorities: Authorities,
        clock: Clock,
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._identities = Identities(client)
        self._facts = facts
        self._authorities = authorities
        self._clock = clock
        self._wrong = RateLimit(clock, burst=_WRONG_BURST, per_s=_WRONG_PER_S)
        self._busy = asyncio.Semaphore(_BUSY)

    def routes(self) -> Mapping[str, Handle]:
        """Paths and handlers."""
        return {CA_PATH: self.give_ca, CSR_PATH: self.sign}

    async def give_ca(self, exchange: Exchange) -> None:
        """Give the CA as PEM; a token says which hash it must have."""
        if exchange.scope["method"] != "GET":
            raise _wrong_method("GET")
        pem = self._authorities.server.cert_pem
        await exchange.answer_bytes(pem, b"application/x-pem-file")

    async def sign(self, exchange: Exchange) -> None:
        """Check who asks and give certificates."""
        if exchange.scope["method"] != "POST":
            raise _wrong_method("POST")
        who, own_name = await self._who(exchange)
        raw = await exchange.body(_BODY_BYTES)
        try:
            request = msgspec.json.decode(raw, type=JoinRequest)
        except msgspec.DecodeError as error:
            raise BadRequest(f"the join request can't be read: {error}") from error
        if own_name and own_name != request.node_name:
            raise Forbidden(f'node "{own_name}" may ask for certificates for itself only')
        async with self._busy:
            answer = await self._sign(request, proven=bool(own_name))
        log.info("node joins", node=request.node_name, addresses=request.addresses, by=who)
        await exchange.answer(msgspec.json.encode(answer))

    async def _who(self, exchange: Exchange) -> tuple[str, str]:
        """Who asks, for the log, and which node it is by its certificate ("" by token)."""
        certificate = certificate_of(exchange.scope)
        if certificate is not None:
            user = user_of_certificate(certificate)
            if NODES in user.groups and user.name.startswith(NODE_PREFIX):
                return user.name, user.name.removeprefix(NODE_PREFIX)
        host = str((exchange.scope.get("client") or ("?",))[0])
        if wait_s := self._wrong.wait_s(host):
            again = int(wait_s) + 1
            why = f"too many wrong tokens from {host}; wait {again} s"
            raise TooManyRequests(why, Details(retry_after_s=again))
        scheme, _, bearer = exchange.header(b"authorization").partition(" ")
        try:
            return await self._tokens.check(
                bearer.strip() if scheme.lower() == "bearer" else ""
            ), ""
        except Unauthorized as refusal:
            self._wrong.spend(host)
            log.warning("join refused", host=host, why=str(refusal))
            raise

    async def _sign(self, request: JoinRequest, *, proven: bool) -> JoinAnswer:
        facts = self._facts
        key = checked_key(request)
        check_names(
            request,
            reserved=facts.api_names | await self._addresses_of_others(request.node_name),
            networks=(facts.cluster_cidr, facts.service_cidr),
        )
        await self._identities.claim(request.node_name, public_key_hash(key), proven=proven)
        client, serving = sign(request, key, self._authorities, now=self._clock.wall())
        return JoinAnswer(
            client_cert=client.decode(),
            serving_cert=serving.decode(),
            server_ca=self._authorities.server.cert_pem.decode(),
            client_ca=self._authorities.client.cert_pem.decode(),
            node_name=request.node_name,
            cluster_cidr=facts.cluster_cidr,
            service_cidr=facts.service_cidr,
            cluster_dns=facts.cluster_dns,
            cluster_domain=facts.cluster_domain,
        )

    async def _addresses_of_others(self, node: str) -> frozenset[str]:
        nodes = (await self._client.list(NODE)).items
        return frozenset(
            address.address
            for other in nodes
            if other.metadata.name != node
            for address in other.status.addresses
        )


def _wrong_method(right: str) -> MethodNotAllowed:
    return MethodNotAllowed(f"this page takes {right} only")
