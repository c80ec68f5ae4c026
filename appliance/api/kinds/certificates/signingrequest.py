"""CertificateSigningRequest: asks for a certificate; somebody approves, a signer signs.

Source: k8s.io/api `certificates/v1`, kubernetes `pkg/apis/certificates`.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api import faults
from appliance.api.ages import human
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import Bytes, F, Int32, Message, Time, always

GROUP = "certificates.k8s.io"
APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
CLIENT = "kubernetes.io/kube-apiserver-client"
NODE_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"

_LEAST_S = 600
_SIGNER = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[-A-Za-z0-9._]+")
_PEM = b"-----BEGIN CERTIFICATE REQUEST-----"


class CertificateSigningRequestSpec(Message):
    """What is asked for, and by whom."""

    request: Annotated[
        Bytes, F(1, "The request (PKCS#10) as PEM.", required=True, list_type="atomic")
    ] = always(bytes)
    signerName: Annotated[str, F(7, "Who shall sign it.", required=True)] = always(str)
    expirationSeconds: Annotated[
        Int32 | None, F(8, "How long it is wanted; the signer may give less.")
    ] = None
    usages: Annotated[
        list[str], F(5, "What the key is for, such as client auth.", list_type="atomic")
    ] = []
    username: Annotated[str, F(2, "Who asked; filled in by the server.")] = ""
    uid: Annotated[str, F(3, "UID of who asked; filled in by the server.")] = ""
    groups: Annotated[
        list[str], F(4, "Groups of who asked; filled in by the server.", list_type="atomic")
    ] = []
    extra: Annotated[dict[str, list[str]], F(6, "More about who asked; filled in.")] = {}


class CertificateSigningRequestCondition(Message):
    """A word about the request."""

    type: Annotated[str, F(1, "Approved, Denied or Failed.", required=True)] = always(str)
    status: Annotated[str, F(6, "True, False or Unknown.", required=True)] = always(str)
    reason: Annotated[str, F(2, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(3, "Why, for people.")] = ""
    lastUpdateTime: Annotated[Time | None, F(4, "When it was last written.")] = None
    lastTransitionTime: Annotated[Time | None, F(5, "When its status last changed.")] = None


class CertificateSigningRequestStatus(Message):
    """What came of it."""

    conditions: Annotated[
        list[CertificateSigningRequestCondition],
        F(1, "Approval, denial, failure.", list_type="map", list_keys=("type",)),
    ] = []
    certificate: Annotated[Bytes, F(2, "The certificate as PEM.", list_type="atomic")] = b""


class CertificateSigningRequest(KubeObject):
    """Asks for a certificate."""

    spec: Annotated[CertificateSigningRequestSpec, F(2, "What is asked for.", required=True)] = (
        always(CertificateSigningRequestSpec)
    )
    status: Annotated[CertificateSigningRequestStatus, F(3, "What came of it.")] = always(
        CertificateSigningRequestStatus
    )

    def has(self, condition: str) -> bool:
        """Whether a condition is there; here all that are there hold."""
        return any(c.type == condition for c in self.status.conditions)


def _state(obj: CertificateSigningRequest) -> str:
    words = [DENIED if obj.has(DENIED) else APPROVED if obj.has(APPROVED) else "Pending"]
    words += [FAILED] if obj.has(FAILED) else []
    words += ["Issued"] if obj.status.certificate else []
    return ",".join(words)


def _cells(obj: CertificateSigningRequest, now: float) -> list[Any]:
    wanted = obj.spec.expirationSeconds
    lasts = "<none>" if wanted is None else human(float(wanted))
    spec = obj.spec
    return [obj.metadata.name, age(obj, now), spec.signerName, spec.username, lasts, _state(obj)]


def _begin(obj: CertificateSigningRequest) -> None:
    obj.status = CertificateSigningRequestStatus()


def _keep(new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
    new.spec, new.status = old.spec, old.status


def _approve(new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
    """Through this door only approval and denial come."""
    new.spec, new.metadata = old.spec, old.metadata
    others = [c for c in old.status.conditions if c.type not in (APPROVED, DENIED)]
    given = [c for c in new.status.conditions if c.type in (APPROVED, DENIED)]
    new.status = CertificateSigningRequestStatus(
        conditions=[*others, *given], certificate=old.status.certificate
    )


def _sign(new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
    """Through this one everything but approval and denial."""
    new.spec, new.metadata = old.spec, old.metadata
    decided = [c for c in old.status.conditions if c.type in (APPROVED, DENIED)]
    rest = [c for c in new.status.conditions if c.type not in (APPROVED, DENIED)]
    new.status.conditions = [*decided, *rest]


def _faults(obj: CertificateSigningRequest) -> Iterator[Cause]:
    spec = obj.spec
    if not spec.request.strip().startswith(_PEM):
        why = "PEM block type must be CERTIFICATE REQUEST"
        yield faults.wrong("spec.request", "", why)
    if not spec.usages:
        yield faults.required("spec.usages")
    if not spec.signerName:
        yield faults.required("spec.signerName")
    elif not _SIGNER.fullmatch(spec.signerName):
        why = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        yield faults.wrong("spec.signerName", spec.signerName, why)
    if spec.expirationSeconds is not None and spec.expirationSeconds < _LEAST_S:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        yield faults.wrong("spec.expirationSeconds", spec.expirationSeconds, why)


def _validate(obj: CertificateSigningRequest) -> list[Cause]:
    return list(_faults(obj))


def _validate_update(new: CertificateSigningRequest, old: CertificateSigningRequest) -> list[Cause]:
    if new.has(APPROVED) and new.has(DENIED):
        why = "Approved and Denied conditions are mutually exclusive"
        return [faults.wrong("status.conditions", DENIED, why)]
    gone = [c.type for c in old.status.conditions if not new.has(c.type)]
    if gone:
        return [faults.forbidden("status.conditions", f"{gone[0]} conditions may not be removed")]
    return []


_DOOR = ("get", "patch", "update")

CERTIFICATE_SIGNING_REQUEST = Kind(
    group=GROUP,
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    singular="certificatesigningrequest",
    namespaced=False,
    type=CertificateSigningRequest,
    short_names=("csr",),
    subresources=(
        Subresource(
            name="approval",
            verbs=_DOOR,
            kind="CertificateSigningRequest",
            prepare=_approve,
            validate=_validate_update,
        ),
        Subresource(name="status", verbs=_DOOR, kind="CertificateSigningRequest"),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Age"),
        Column("SignerName"),
        Column("Requestor"),
        Column("RequestedDuration"),
        Column("Condition"),
    ),
    cells=_cells,
    prepare_create=_begin,
    prepare_update=_keep,
    prepare_status_update=_sign,
    validate=_validate,
    validate_status=_validate_update,
    selectable_fields={"spec.signerName": lambda obj: obj.spec.signerName},
    has_generation=False,
)
