"""Certificate requests: asked for, approved, signed; and what is not signed."""

import asyncio
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.api.errors import Forbidden, Invalid
from appliance.api.kinds.certificates.signingrequest import (
    CERTIFICATE_SIGNING_REQUEST,
    CLIENT,
    NODE_CLIENT,
    CertificateSigningRequest,
    CertificateSigningRequestCondition,
    CertificateSigningRequestSpec,
)
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE, ClusterRole
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING, ClusterRoleBinding
from appliance.api.kinds.rbac.rules import PolicyRule, RoleRef, Subject
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, clone
from appliance.control.controllers.certificates import Certificates
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.kit.pki import Request
from tests.unit.control.cluster import Cluster

KEY = ec.generate_private_key(ec.SECP256R1())
JANE = User(name="jane", groups=("devs",), uid="7")


def csr(name: str, *groups: str, key: Any = KEY, host: str = "") -> bytes:
    oid = x509.NameOID
    parts = [x509.NameAttribute(oid.ORGANIZATION_NAME, g) for g in groups]
    parts.append(x509.NameAttribute(oid.COMMON_NAME, name))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(parts))
    if host:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def asked(pem: bytes, *, signer: str = CLIENT, usages: tuple[str, ...] = ("client auth",)) -> Any:
    spec = CertificateSigningRequestSpec(request=pem, signerName=signer, usages=list(usages))
    return CertificateSigningRequest(metadata=ObjectMeta(name="r"), spec=spec)


def sign(request: Request, seconds: float) -> bytes:
    return f"{request.common_name} {request.organizations} {seconds:g}".encode()


async def begin(plane: Cluster) -> None:
    await plane.start(Certificates(plane.client, plane.informers, clock=plane.clock, sign=sign))


async def approve(client: Client, word: str = "Approved") -> None:
    found = clone(await client.get(CERTIFICATE_SIGNING_REQUEST, "r"))
    condition = CertificateSigningRequestCondition(type=word, status="True", reason="T")
    found.status.conditions = [*found.status.conditions, condition]
    await client.update(CERTIFICATE_SIGNING_REQUEST, found, subresource="approval")


async def after(plane: Cluster) -> CertificateSigningRequest:
    await plane.settle()
    return await plane.client.get(CERTIFICATE_SIGNING_REQUEST, "r")


async def test_an_approved_request_is_signed(plane: Cluster) -> None:
    await begin(plane)
    await plane.client.create(CERTIFICATE_SIGNING_REQUEST, asked(csr("joe", "devs")))
    assert not (await after(plane)).status.certificate
    await approve(plane.client)
    made = await after(plane)
    assert made.status.certificate == b"joe ('devs',) 3.1536e+07"
    assert CERTIFICATE_SIGNING_REQUEST.cells is not None
    assert CERTIFICATE_SIGNING_REQUEST.cells(made, 0.0)[5] == "Approved,Issued"


async def test_a_denied_request_is_not(plane: Cluster) -> None:
    await begin(plane)
    await plane.client.create(CERTIFICATE_SIGNING_REQUEST, asked(csr("joe")))
    await approve(plane.client, "Denied")
    assert not (await after(plane)).status.certificate
    with pytest.raises(Invalid, match="mutually exclusive"):
        await approve(plane.client)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (asked(csr("joe"), usages=("client auth", "server auth")), "usages must be client auth"),
        (asked(csr("joe", host="api")), "names no hosts"),
        (asked(csr("joe", "system:nodes"), signer=NODE_CLIENT), "must begin with system:node:"),
        (asked(csr("system:node:n1", "a"), signer=NODE_CLIENT), "must be system:nodes"),
        (asked(b"-----BEGIN CERTIFICATE REQUEST-----"), "PEM"),
    ],
)
async def test_what_is_not_signed_fails_with_a_reason(
    plane: Cluster, request_: CertificateSigningRequest, why: str
) -> None:
    await begin(plane)
    await plane.client.create(CERTIFICATE_SIGNING_REQUEST, request_)
    await approve(plane.client)
    made = await after(plane)
    assert not made.status.certificate
    (failed,) = [c for c in made.status.conditions if c.type == "Failed"]
    assert why in failed.message


async def test_rsa_keys_are_signed_too(plane: Cluster) -> None:
    key = await asyncio.to_thread(rsa.generate_private_key, 65537, 2048)
    await begin(plane)
    await plane.client.create(CERTIFICATE_SIGNING_REQUEST, asked(csr("joe", key=key)))
    await approve(plane.client)
    assert (await after(plane)).status.certificate


async def grant(plane: Cluster, verb: str, signer: str) -> None:
    group = "certificates.k8s.io"
    rules = [
        PolicyRule(verbs=[verb], apiGroups=[group], resources=["signers"], resourceNames=[signer])
    ]
    name = f"{verb}-{len(signer)}"
    await plane.client.create(
        CLUSTER_ROLE, ClusterRole(metadata=ObjectMeta(name=name), rules=rules)
    )
    binding = ClusterRoleBinding(
        metadata=ObjectMeta(name=name),
        subjects=[Subject(kind="User", name="jane")],
        roleRef=RoleRef(kind="ClusterRole", name=name),
    )
    await plane.client.create(CLUSTER_ROLE_BINDING, binding)


async def test_who_asks_is_written_down_and_may_not_approve_themselves(plane: Cluster) -> None:
    local = plane.client
    assert isinstance(local, LocalClient)
    jane = local.as_user(JANE)
    lie = asked(csr("joe"))
    lie.spec.username, lie.spec.groups = "root", ["system:masters"]
    made = await jane.create(CERTIFICATE_SIGNING_REQUEST, lie)
    assert (made.spec.username, made.spec.groups, made.spec.uid) == ("jane", ["devs"], "7")
    with pytest.raises(Forbidden, match="not permitted to approve requests with signerName"):
        await approve(jane)
    own = clone(made)
    own.status.certificate = b"mine"
    with pytest.raises(Forbidden, match="not permitted to sign"):
        await jane.update(CERTIFICATE_SIGNING_REQUEST, own, subresource="status")
    await grant(plane, "approve", "kubernetes.io/*")
    await approve(jane)
    with pytest.raises(Forbidden, match="with system:masters group is not allowed"):
        await jane.create(CERTIFICATE_SIGNING_REQUEST, asked(csr("x", "system:masters")))
    await jane.close()
