"""The node's half of joining: fetch the CA, check it against the token, get certificates.

Called by `assembly.joining` before an agent runs. Until the CA has been checked nothing secret is
said. Each fault that a user can do something about is a class of its own.
Bounded by: one try, `_ANSWER_S`, `_ANSWER_BYTES`; whoever wants more calls again.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import msgspec

from appliance.api.errors import ApiError, Unauthorized, from_status
from appliance.api.joining import CA_PATH, CSR_PATH, EXPIRED_TOKEN, JoinAnswer, JoinRequest
from appliance.api.jointoken import ca_hash
from appliance.client.http import tls_context
from appliance.client.kubeconfig import Access
from appliance.kit import jsonio

_ANSWER_S = 20.0
_CONNECT_S = 5.0
_ANSWER_BYTES = 1 << 20


class JoinFault(Exception):
    """The host can't join; `str()` says why and what to do."""


class WrongToken(JoinFault):
    """The master does not know the token."""


class ExpiredToken(JoinFault):
    """The token's time is over."""


class WrongCa(JoinFault):
    """Whoever answers is not the master that the token was made by."""


class MasterUnreachable(JoinFault):
    """Nobody answers there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Why the master should believe us: a token, or the certificate that the node has."""

    bearer: str = field(default="", repr=False)
    cert_pem: bytes = b""
    key_pem: bytes = field(default=b"", repr=False)


async def fetch_ca(url: str, pinned_hash: str) -> bytes:
    """The CA of the master at `url`; `pinned_hash` is the token's word on it ("" trusts).

    Raises:
        MasterUnreachable: nobody answers.
        WrongCa: it is another master's.
    """
    # Nothing is believed yet, so there is nothing to verify the answer with: the hash does it.
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    answer = await _call(url, "GET", CA_PATH, unverified)
    if answer.status_code != httpx.codes.OK or b"BEGIN CERTIFICATE" not in answer.content:
        raise WrongCa(f"{url} answers, but not as an appliance master does; check the address")
    found = ca_hash(answer.content)
    if pinned_hash and found != pinned_hash:
        raise WrongCa(
            f"the master at {url} is not the one that the token was made by: its CA has the hash "
            f"{found[:12]}…, the token says {pinned_hash[:12]}…; check the address and the token"
        )
    return answer.content


async def request_certificates(
    url: str, ca_pem: bytes, request: JoinRequest, proof: Proof
) -> JoinAnswer:
    """Ask the master, over TLS that is verified, for the node's certificates.

    Raises:
        MasterUnreachable: nobody answers, or its certificate is not for this address.
        ExpiredToken: the token was good.
        WrongToken: it never was, or it was deleted.
        JoinFault: the master refuses for another reason.
    """
    access = Access(server=url, ca_pem=ca_pem, cert_pem=proof.cert_pem, key_pem=proof.key_pem)
    headers = {"Content-Type": "application/json"}
    if proof.bearer:
        headers["Authorization"] = f"Bearer {proof.bearer}"
    body = msgspec.json.encode(request)
    answer = await _call(url, "POST", CSR_PATH, tls_context(access), headers=headers, body=body)
    if answer.status_code != httpx.codes.OK:
        raise _refusal(url, answer)
    try:
        return msgspec.json.decode(answer.content, type=JoinAnswer)
    except msgspec.DecodeError as error:
        raise JoinFault(f"the master's answer can't be read: {error}") from error


async def _call(
    url: str,
    method: str,
    path: str,
    tls: ssl.SSLContext | bool,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> httpx.Response:
    timeout = httpx.Timeout(_ANSWER_S, connect=_CONNECT_S)
    try:
        async with (
            httpx.AsyncClient(verify=tls, timeout=timeout, trust_env=False) as http,
            http.stream(method, f"{url}{path}", headers=headers, content=body) as answer,
        ):
            chunks: list[bytes] = []
            async for chunk in answer.aiter_bytes():
                chunks.append(chunk)
                if sum(map(len, chunks)) > _ANSWER_BYTES:
                    raise WrongCa(f"{url} sends more than a master would; check the address")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MasterUnreachable(_why(url, error)) from error
    return httpx.Response(answer.status_code, content=b"".join(chunks))


def _why(url: str, error: Exception) -> str:
    text = str(error) or type(error).__name__
    if "mismatch" in text or "is not valid for" in text:
        return f"the master's certificate does not name {url}: start it with --tls-san for it"
    if "not yet valid" in text or "has expired" in text:
        return f"the certificate of {url} does not fit this host's clock; set the clock ({text})"
    return f"can't reach the master at {url}: {text}; is it running, and the port open?"


def _refusal(url: str, answer: httpx.Response) -> JoinFault:
    try:
        status = jsonio.loads(answer.content)
        error: ApiError | None = from_status(status) if isinstance(status, dict) else None
    except jsonio.JsonError:
        error = None
    if error is None:
        return JoinFault(f"{url} refuses with code {answer.status_code}")
    if isinstance(error, Unauthorized):
        causes = error.details.causes if error.details is not None else []
        expired = any(cause.reason == EXPIRED_TOKEN for cause in causes)
        return (ExpiredToken if expired else WrongToken)(error.message)
    return JoinFault(f"the master refuses: {error.message}")
