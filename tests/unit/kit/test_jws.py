"""Signed tokens: ours are known, all others are not."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from appliance.kit.jws import BadSignature, SigningKey, parts_of, verify
from appliance.kit.pki import new_key_pem

KEY, OTHER = SigningKey(new_key_pem()), SigningKey(new_key_pem())
KEYS = [OTHER.verifying, KEY.verifying]


def test_what_was_signed_comes_back() -> None:
    token = KEY.sign(b'{"sub":"x"}')
    assert verify(token, KEYS) == b'{"sub":"x"}'
    header, _, signature = parts_of(token)
    assert (header["alg"], header["kid"]) == ("ES256", KEY.verifying.key_id)
    assert len(signature) == 64


def encoded(part: object) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda h, _p, s: f"{h}.{encoded({'sub': 'admin'})}.{s}",
        lambda _h, p, _s: f"{encoded({'alg': 'none'})}.{p}.",
        lambda _h, p, s: f"{encoded({'alg': 'HS256'})}.{p}.{s}",
        lambda _h, p, s: f"{encoded({'alg': 'ES256', 'kid': 'else'})}.{p}.{s}",
        lambda h, p, s: f"{h}.{p}.{s[:-4]}",
        lambda h, p, _s: f"{h}.{p}.{encoded(bytes(64))}",
        lambda h, p, _s: f"{h}.{p}",
        lambda _h, p, s: f"{encoded([1])}.{p}.{s}",
        lambda _h, _p, _s: "",
        lambda _h, _p, _s: "ä.b.c",
        lambda h, p, s: f"{h}.{p}.{s}.x",
    ],
)
def test_anything_else_is_refused(change: object) -> None:
    assert callable(change)
    header, payload, signature = KEY.sign(b'{"sub":"x"}').split(".")
    with pytest.raises(BadSignature):
        verify(change(header, payload, signature), KEYS)


def test_a_key_that_is_not_ours_counts_for_nothing() -> None:
    with pytest.raises(BadSignature, match="none of our keys"):
        verify(KEY.sign(b"{}"), [OTHER.verifying])


def test_the_public_half_is_enough_to_check() -> None:
    jwk = KEY.verifying.jwk()
    x, y = (int.from_bytes(base64.urlsafe_b64decode(jwk[n] + "=="), "big") for n in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    assert public.public_numbers() == KEY.verifying.public.public_numbers()
    assert (jwk["kty"], jwk["crv"], jwk["alg"]) == ("EC", "P-256", "ES256")


def test_keys_of_other_kinds_are_refused() -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="P-256"):
        SigningKey(pem)
