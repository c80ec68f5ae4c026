"""Signed JSON tokens (RFC 7515, compact form) with ES256 keys, and their public half as JWK.

Called by `control.access.tokens`. Only ES256 is spoken: what a token names as its algorithm is
compared, never obeyed. Nothing is kept.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from appliance.kit import jsonio

ALGORITHM = "ES256"
_HALF_BYTES = 32  # of the two numbers that an ES256 signature is


class BadSignature(ValueError):
    """The token is none, or none of our keys signed it."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half of a key."""

    public: ec.EllipticCurvePublicKey
    key_id: str

    def jwk(self) -> dict[str, str]:
        """Give the key as others want it who check tokens themselves."""
        numbers = self.public.public_numbers()
        return {
            "use": "sig",
            "kty": "EC",
            "kid": self.key_id,
            "crv": "P-256",
            "alg": ALGORITHM,
            "x": _encode(numbers.x.to_bytes(_HALF_BYTES, "big")),
            "y": _encode(numbers.y.to_bytes(_HALF_BYTES, "big")),
        }


class SigningKey:
    """A private key on the curve P-256."""

    def __init__(self, key_pem: bytes) -> None:
        key = serialization.load_pem_private_key(key_pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError("tokens are signed with a P-256 key; this is another one")
        self._key = key
        self.verifying = _verifying(key.public_key())

    def sign(self, payload: bytes) -> str:
        """Make a token of a JSON text."""
        header = {"alg": ALGORITHM, "kid": self.verifying.key_id}
        signed = f"{_encode(jsonio.dumps(header))}.{_encode(payload)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return (
            f"{signed}.{_encode(r.to_bytes(_HALF_BYTES, 'big') + s.to_bytes(_HALF_BYTES, 'big'))}"
        )


def verify(token: str, keys: Sequence[VerifyingKey]) -> bytes:
    """Give the JSON text of a token that one of the keys has signed.

    Raises:
        BadSignature: it is no such token.
    """
    header, payload, signature = parts_of(token)
    if header.get("alg") != ALGORITHM or len(signature) != 2 * _HALF_BYTES:
        raise BadSignature("not signed with ES256")
    halves = signature[:_HALF_BYTES], signature[_HALF_BYTES:]
    dss = encode_dss_signature(*(int.from_bytes(half, "big") for half in halves))
    signed = token.rpartition(".")[0].encode()
    for key in keys:
        if header.get("kid") not in (None, key.key_id):
            continue
        try:
            key.public.verify(dss, signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        return payload
    raise BadSignature("signed by none of our keys")


def parts_of(token: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Take a token apart, without believing it.

    Raises:
        BadSignature: it has not the form of one.
    """
    try:
        header, payload, signature = (_decode(part) for part in token.split("."))
        found = jsonio.loads(header)
    except (ValueError, binascii.Error) as error:
        raise BadSignature("not a signed token") from error
    if not isinstance(found, dict):
        raise BadSignature("not a signed token")
    return found, payload, signature


def _verifying(public: ec.EllipticCurvePublicKey) -> VerifyingKey:
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return VerifyingKey(public, _encode(hashlib.sha256(der).digest()))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True)
