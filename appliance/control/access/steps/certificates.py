"""Certificate requests: who asked is what authentication says; approving and signing are rights.

Source: kubernetes `plugin/pkg/admission/certificates`, `pkg/registry/certificates`.
"""

from appliance.api.kinds.certificates.signingrequest import (
    CERTIFICATE_SIGNING_REQUEST,
    CLIENT,
    GROUP,
    CertificateSigningRequest,
)
from appliance.control.access.attributes import MASTERS, Attributes
from appliance.control.access.rbac.authorizer import Rbac
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup
from appliance.kit.pki import read_request


class Certificates:
    """Fills in who asks, and refuses approvals and certificates of who may not give them."""

    def __init__(self, lookup: Lookup) -> None:
        self._rbac = Rbac(lookup)

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.kind is not CERTIFICATE_SIGNING_REQUEST or attempt.obj is None:
            return
        if attempt.verb == "create":
            _begin(attempt, attempt.obj)
        elif attempt.subresource == "approval":
            await self._check(attempt, "approve")
        elif attempt.subresource == "status":
            new, old = attempt.obj.status, attempt.old.status
            if new.certificate != old.certificate or new.conditions != old.conditions:
                await self._check(attempt, "sign")

    async def _check(self, attempt: Attempt, verb: str) -> None:
        user, signer = attempt.call.user, attempt.old.spec.signerName
        if MASTERS in user.groups:
            return
        for name in (signer, f"{signer.partition('/')[0]}/*"):
            asked = Attributes(verb=verb, group=GROUP, resource="signers", name=name)
            if (await self._rbac.decide(user, asked)).allowed:
                return
        raise attempt.forbid(f'user not permitted to {verb} requests with signerName "{signer}"')


def _begin(attempt: Attempt, request: CertificateSigningRequest) -> None:
    spec, user = request.spec, attempt.call.user
    spec.username, spec.uid, spec.groups = user.name, user.uid, list(user.groups)
    spec.extra = {name: list(values) for name, values in user.extra.items()}
    if spec.signerName != CLIENT:
        return
    try:
        wanted = read_request(spec.request)
    except ValueError:
        return  # validation, or the signer, says so
    if MASTERS in wanted.organizations:
        why = f"use of {CLIENT} signer with {MASTERS} group is not allowed"
        raise attempt.forbid(why)
