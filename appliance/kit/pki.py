"""Certificates as functions: CA, leaves, CSRs. No policy: who may have what is decided elsewhere.

Keys are ECDSA P-256; everything is PEM bytes. Source: RFC 5280.
"""

import hashlib
import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

# Small hosts often boot with a clock that runs behind; a certificate from "the future" would
# lock them out.
_BACKDATE = timedelta(hours=24)


PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_RSA_LEAST_BITS = 2048


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    cert_pem: bytes
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a leaf certificate says: user name, groups, addresses and what it may do."""

    common_name: str
    organizations: tuple[str, ...] = ()
    sans: tuple[str, ...] = ()
    server: bool = False
    client: bool = False
    days: float = 365


def new_key_pem() -> bytes:
    """A fresh private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def new_ca(common_name: str, *, now: float, days: int = 3650) -> KeyPair:
    """A self-signed certificate authority; `now` in seconds since 1970."""
    key_pem = new_key_pem()
    key = _load_key(key_pem)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.fromtimestamp(now, UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _BACKDATE)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(cert.public_bytes(serialization.Encoding.PEM), key_pem)


def issue(ca: KeyPair, subject: Subject, *, now: float) -> KeyPair:
    """A leaf certificate with a fresh key, signed by `ca`."""
    key_pem = new_key_pem()
    cert_pem = sign_public_key(ca, _load_key(key_pem).public_key(), subject, now=now)
    return KeyPair(cert_pem, key_pem)


def sign_public_key(ca: KeyPair, public_key: PublicKey, subject: Subject, *, now: float) -> bytes:
    """A leaf certificate (PEM) for a key that somebody else holds."""
    issuer_key = _load_key(ca.key_pem)
    issuer = x509.load_pem_x509_certificate(ca.cert_pem)
    start = datetime.fromtimestamp(now, UTC)
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in subject.organizations]
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(issuer.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _BACKDATE)
        .not_valid_after(start + timedelta(days=subject.days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    purposes = []
    if subject.server:
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
    if subject.client:
        purposes.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if subject.sans:
        names = x509.SubjectAlternativeName([_san(s) for s in subject.sans])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def new_csr_pem(key_pem: bytes, common_name: str) -> bytes:
    """A request for certificates (PEM) that proves who has the key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    return request.sign(_load_key(key_pem), hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM
    )


def read_csr(csr_pem: bytes) -> ec.EllipticCurvePublicKey:
    """The key that a request asks for; what else it says, the signer decides.

    Raises:
        ValueError: it is no request, its signature is wrong, or the key is not ECDSA P-256.
    """
    request = x509.load_pem_x509_csr(csr_pem)
    if not request.is_signature_valid:
        raise ValueError("its signature is wrong")
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("its key must be ECDSA P-256")  # noqa: TRY004 - one error for bad input
    return key


@dataclass(frozen=True, slots=True)
class Request:
    """What a request says about its subject, and its key."""

    common_name: str
    organizations: tuple[str, ...]
    has_names: bool
    """Whether it asks for names of hosts, or the like."""
    public_key: PublicKey


def read_request(csr_pem: bytes) -> Request:
    """Read a request that people have made; keys are ECDSA, RSA from 2048 bits, or Ed25519.

    Raises:
        ValueError: it is no request, its signature is wrong, or the key is of another kind.
    """
    request = x509.load_pem_x509_csr(csr_pem)
    if not request.is_signature_valid:
        raise ValueError("its signature is wrong")
    key = request.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_LEAST_BITS:
        raise ValueError(f"its RSA key must have {_RSA_LEAST_BITS} bits at least")
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        raise ValueError("its key must be ECDSA, RSA or Ed25519")  # noqa: TRY004 - bad input
    names = [str(a.value) for a in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return Request(
        common_name=names[0] if names else "",
        organizations=tuple(str(a.value) for a in groups),
        has_names=any(e.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME for e in request.extensions),
        public_key=key,
    )


def public_key_hash(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of a public key (its SubjectPublicKeyInfo), as hex."""
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, spki)).hexdigest()


def _san(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"expected an elliptic-curve private key, got {type(key).__name__}")
    return key
