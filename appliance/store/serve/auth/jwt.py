"""Signed tokens (JWT): `--auth-token jwt,sign-method=RS256,pub-key=…,priv-key=…,ttl=10m`.

Nothing is remembered: any member with the key can check one. A token says of which auth revision
it is, so after a change of users or roles clients must ask for a new one. With a public key
alone tokens are checked, not made.

Source: RFC 7515, 7518, 7519; the options are those of etcd server/auth/options.go.
"""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from appliance.kit.clock import Clock
from appliance.store.serve.auth.refusals import AuthRefused, Why
from appliance.store.serve.auth.tokens import DEFAULT_TTL_S, Who

_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Mapping[str, ec.EllipticCurve] = {
    "256": ec.SECP256R1(),
    "384": ec.SECP384R1(),
    "512": ec.SECP521R1(),
}
_KEYS: Mapping[str, Any] = {
    "RS": rsa.RSAPublicKey,
    "PS": rsa.RSAPublicKey,
    "ES": ec.EllipticCurvePublicKey,
}
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_TOKEN_PARTS = 3


class TokenOptionError(ValueError):
    """`--auth-token` cannot be used as it is."""


class Signer(Protocol):
    """A way to sign."""

    can_sign: bool

    def sign(self, data: bytes) -> bytes:
        """The signature."""
        ...

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Whether it is ours."""
        ...


class SignedTokens:
    """Makes and checks signed tokens."""

    def __init__(self, method: str, signer: Signer, clock: Clock, ttl_s: float) -> None:
        self._method = method
        self._signer = signer
        self._clock = clock
        self._ttl_s = ttl_s

    def assign(self, name: str, revision: int) -> str:
        """A new token.

        Raises:
            AuthRefused: we have no private key.
        """
        if not self._signer.can_sign:
            raise AuthRefused(Why.VERIFY_ONLY)
        until = int(self._clock.wall() + self._ttl_s)
        claims = {"username": name, "revision": revision, "exp": until}
        head = _part({"alg": self._method, "typ": "JWT"})
        signed = f"{head}.{_part(claims)}"
        return f"{signed}.{_base64(self._signer.sign(signed.encode()))}"

    def who(self, token: str, revision: int) -> Who | None:
        """Whose token it is, and of which revision."""
        del revision  # the token says its own
        parts = token.split(".")
        if len(parts) != _TOKEN_PARTS:
            return None
        try:
            head, claims = _object(parts[0]), _object(parts[1])
            signature = _bytes(parts[2])
        except ValueError:
            return None
        signed = f"{parts[0]}.{parts[1]}".encode()
        if head.get("alg") != self._method or not self._signer.verify(signed, signature):
            return None
        return self._claimed(claims)

    def forget(self, name: str) -> None:
        """The next auth revision makes them useless; there is nothing to forget."""

    def forget_all(self) -> None:
        """Likewise."""

    def _claimed(self, claims: dict[str, Any]) -> Who | None:
        name, revision = claims.get("username"), claims.get("revision")
        until, begin = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(name, str) or not isinstance(revision, int | float):
            return None
        if not isinstance(until, int | float | None) or not isinstance(begin, int | float):
            return None
        now = self._clock.wall()
        if now < begin or (until is not None and now > until):
            return None
        return Who(name, int(revision))


def signed_tokens(options: str, clock: Clock) -> SignedTokens:
    """Tokens as the options after `jwt,` want them.

    Raises:
        TokenOptionError: an option is wrong; the text says which.
    """
    given = dict(_pair(text) for text in options.split(","))
    method = given.get("sign-method", "")
    ttl_s = _seconds(given["ttl"]) if given.get("ttl") else DEFAULT_TTL_S
    private, public = (_file(given.get(name, "")) for name in ("priv-key", "pub-key"))
    return SignedTokens(method, _signer(method, private, public), clock, ttl_s)


def _signer(method: str, private: bytes, public: bytes) -> Signer:
    family, bits = method[:2], method[2:]
    if method != "EdDSA" and (family not in {"HS", "RS", "PS", "ES"} or bits not in _HASHES):
        raise TokenOptionError(
            f"auth-token: sign-method {method!r} is none of HS256, RS256, PS256, ES256"
            " (or 384, 512) and EdDSA"
        )
    if family == "HS":
        if not private:
            raise TokenOptionError("auth-token: priv-key must name a file with the secret")
        return _Secret(private, bits)
    return _Asymmetric(method, _key_pair(private, public))


@dataclass(frozen=True, slots=True)
class _Pair:
    private: Any
    public: Any


def _key_pair(private: bytes, public: bytes) -> _Pair:
    try:
        key = serialization.load_pem_private_key(private, None) if private else None
        known: Any = _public(public) if public else None
    except (ValueError, TypeError) as error:
        raise TokenOptionError(f"auth-token: a key cannot be read: {error}") from error
    if key is None and known is None:
        raise TokenOptionError("auth-token: pub-key or priv-key must name a PEM file")
    if key is not None and known is not None and known != key.public_key():
        raise TokenOptionError("auth-token: pub-key and priv-key are no pair")
    return _Pair(key, known if key is None else key.public_key())


def _public(pem: bytes) -> Any:
    if b"BEGIN CERTIFICATE" in pem:
        from cryptography import x509  # noqa: PLC0415 - rarely needed

        return x509.load_pem_x509_certificate(pem).public_key()
    return serialization.load_pem_public_key(pem)


class _Secret:
    can_sign = True

    def __init__(self, secret: bytes, bits: str) -> None:
        self._secret = secret
        self._hash = f"sha{bits}"

    def sign(self, data: bytes) -> bytes:
        return hmac.digest(self._secret, data, self._hash)

    def verify(self, data: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(data), signature)


class _Asymmetric:
    def __init__(self, method: str, pair: _Pair) -> None:
        family, bits = method[:2], method[2:]
        if not isinstance(pair.public, _KEYS.get(family, ed25519.Ed25519PublicKey)):
            raise TokenOptionError(f"auth-token: the key is not one for {method}")
        self._family = family
        self._pair = pair
        self._size = 0
        self._how: tuple[Any, ...] = ()
        if family == "RS":
            self._how = (padding.PKCS1v15(), _HASHES[bits])
        elif family == "PS":
            salt = padding.PSS.DIGEST_LENGTH
            self._how = (padding.PSS(padding.MGF1(_HASHES[bits]), salt), _HASHES[bits])
        elif family == "ES":
            self._how = (ec.ECDSA(_HASHES[bits]),)
            curve = pair.public.curve
            if curve.name != _CURVES[bits].name:
                raise TokenOptionError(f"auth-token: the key's curve is not {_CURVES[bits].name}")
            self._size = (curve.key_size + 7) // 8
        self.can_sign = pair.private is not None

    def sign(self, data: bytes) -> bytes:
        signature: bytes = self._pair.private.sign(data, *self._how)
        if self._family != "ES":
            return signature
        r, s = utils.decode_dss_signature(signature)
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")

    def verify(self, data: bytes, signature: bytes) -> bool:
        if self._family == "ES":
            if len(signature) != 2 * self._size:
                return False
            halves = signature[: self._size], signature[self._size :]
            signature = utils.encode_dss_signature(
                *(int.from_bytes(half, "big") for half in halves)
            )
        try:
            self._pair.public.verify(signature, data, *self._how)
        except InvalidSignature:
            return False
        return True


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TokenOptionError(f"auth-token: {text!r} is not name=value")
    return name, value


def _seconds(text: str) -> float:
    """Go's durations: 10m, 1h30m, 1.5s."""
    if not re.fullmatch(r"(\d+(\.\d+)?(h|ms|us|ns|m|s))+", text):
        raise TokenOptionError(f"auth-token: ttl {text!r} is no duration such as 10m")
    parts = re.findall(r"([\d.]+)(h|ms|us|ns|m|s)", text)
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise TokenOptionError(f"auth-token: {path}: {error.strerror}") from error


def _part(data: dict[str, Any]) -> str:
    return _base64(json.dumps(data, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _object(text: str) -> dict[str, Any]:
    found = json.loads(_bytes(text))
    return found if isinstance(found, dict) else {}
