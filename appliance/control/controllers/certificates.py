"""Signs approved certificate requests for clients of the API server.

Signers: kubernetes.io/kube-apiserver-client and …-kubelet. Serving certificates of nodes come
through joining, and from nowhere else: their authority also vouches for the API server.
Source: kubernetes `pkg/controller/certificates/signer`.
"""

from collections.abc import Callable, Sequence

from appliance.api.kinds.certificates.signingrequest import (
    APPROVED,
    CERTIFICATE_SIGNING_REQUEST,
    CLIENT,
    DENIED,
    FAILED,
    NODE_CLIENT,
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestSpec,
)
from appliance.client.base import Client, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers
from appliance.kit.clock import Clock, rfc3339
from appliance.kit.pki import Request, read_request

SignRequest = Callable[[Request, float], bytes]
"""Makes a client certificate for a request, good for so many seconds."""

_YEAR_S = 365 * 86_400.0
_USAGES = frozenset(("client auth", "digital signature", "key encipherment"))


class Certificates:
    """Signs."""

    name = "certificates"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, sign: SignRequest
    ) -> None:
        self._client = client
        self._clock = clock
        self._sign = sign
        self._requests = informers.of(CERTIFICATE_SIGNING_REQUEST)

    def watches(self) -> Sequence[Watch]:
        """The requests."""
        return [Watch(self._requests, lambda request: [key_of(request)])]

    async def reconcile(self, key: str) -> Result:
        """Sign one request, if it is time."""
        found = self._requests.cache.get(key)
        if found is None or not _is_due(found):
            return DONE
        new = clone(found)
        spec = found.spec
        try:
            request = read_request(spec.request)
            check(spec, request)
            seconds = min(float(spec.expirationSeconds or _YEAR_S), _YEAR_S)
            new.status.certificate = self._sign(request, seconds)
        except ValueError as error:
            now = rfc3339(self._clock.wall())
            failed = CertificateSigningRequestCondition(
                type=FAILED,
                status="True",
                reason="SignerValidationFailure",
                message=str(error),
                lastUpdateTime=now,
                lastTransitionTime=now,
            )
            new.status.conditions = [*new.status.conditions, failed]
        await self._client.update(CERTIFICATE_SIGNING_REQUEST, new, subresource="status")
        return DONE


def _is_due(request: CertificateSigningRequest) -> bool:
    ours = request.spec.signerName in (CLIENT, NODE_CLIENT)
    ended = request.has(DENIED) or request.has(FAILED) or bool(request.status.certificate)
    return ours and request.has(APPROVED) and not ended


def check(spec: CertificateSigningRequestSpec, request: Request) -> None:
    """Refuse what the signer does not sign.

    Raises:
        ValueError: with the reason.
    """
    usages = set(spec.usages)
    if "client auth" not in usages or usages - _USAGES:
        raise ValueError(f"usages must be client auth and none beyond {sorted(_USAGES)}")
    if request.has_names:
        raise ValueError("a client's certificate names no hosts: leave out subjectAltName")
    if not request.common_name:
        raise ValueError("the subject needs a common name: it is the user")
    if spec.signerName == NODE_CLIENT:
        if list(request.organizations) != ["system:nodes"]:
            raise ValueError("the organization must be system:nodes, and nothing else")
        if not request.common_name.startswith("system:node:"):
            raise ValueError("the common name must begin with system:node:")
