"""Tokens of both makers."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from appliance.kit.clock import FakeClock
from appliance.store.serve.auth.jwt import TokenOptionError, signed_tokens
from appliance.store.serve.auth.refusals import AuthRefused, Why
from appliance.store.serve.auth.tokens import SimpleTokens, Who

_MAKERS: dict[str, Callable[[], object]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS384": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def _keys(folder: Path, method: str) -> tuple[Path, Path]:
    key = _MAKERS[method]()
    private, public = folder / "key.pem", folder / "pub.pem"
    private.write_bytes(
        key.private_bytes(  # type: ignore[attr-defined]
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(  # type: ignore[attr-defined]
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def _claiming(token: str, **claims: object) -> str:
    head, _, signature = token.split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


async def test_a_simple_token_lasts_as_long_as_it_is_used() -> None:
    clock = FakeClock()
    tokens = SimpleTokens(clock, ttl_s=300)
    token = tokens.assign("alice", 3)
    assert token.partition(".")[0].isalpha()
    assert len(token.partition(".")[0]) == 16
    for _ in range(3):
        await clock.advance(299)
        assert tokens.who(token, 7) == Who("alice", 7)
    await clock.advance(301)
    assert tokens.who(token, 7) is None


def test_a_users_simple_tokens_can_be_taken_back() -> None:
    tokens = SimpleTokens(FakeClock())
    hers, his = tokens.assign("alice", 1), tokens.assign("bob", 1)
    tokens.forget("alice")
    assert tokens.who(hers, 1) is None
    assert tokens.who(his, 1) == Who("bob", 1)
    tokens.forget_all()
    assert tokens.who(his, 1) is None


@pytest.mark.parametrize("method", _MAKERS)
async def test_a_signed_token_says_who_and_of_which_revision(method: str, tmp_path: Path) -> None:
    clock = FakeClock()
    private, public = _keys(tmp_path, method)
    options = f"sign-method={method},priv-key={private},pub-key={public},ttl=1m30s"
    tokens = signed_tokens(options, clock)
    token = tokens.assign("alice", 4)
    assert tokens.who(token, 9) == Who("alice", 4)
    checking = signed_tokens(f"sign-method={method},pub-key={public}", clock)
    assert checking.who(token, 9) == Who("alice", 4)
    with pytest.raises(AuthRefused) as refused:
        checking.assign("alice", 4)
    assert refused.value.why is Why.VERIFY_ONLY
    forged = _claiming(token, username="root", revision=4, exp=clock.wall() + 60)
    assert tokens.who(forged, 9) is None
    await clock.advance(91)
    assert tokens.who(token, 9) is None


def test_a_shared_secret_signs_too(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"open sesame")
    tokens = signed_tokens(f"sign-method=HS256,priv-key={tmp_path / 'secret'}", FakeClock())
    token = tokens.assign("alice", 4)
    assert tokens.who(token, 1) == Who("alice", 4)
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    assert tokens.who(f"{unsigned}.{token.split('.')[1]}.", 1) is None
    for nonsense in ("", "a.b", "a.b.c", "....", "\x00.é.x"):
        assert tokens.who(nonsense, 1) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("sign-method=none", "is none of HS256"),
        ("sign-method=RS256", "must name a PEM file"),
        ("sign-method=HS256", "file with the secret"),
        ("sign-method", "is not name=value"),
        ("sign-method=HS256,priv-key=/nowhere", "No such file"),
        ("sign-method=HS256,ttl=soon", "is no duration"),
    ],
)
def test_options_that_cannot_work_are_refused(options: str, says: str) -> None:
    with pytest.raises(TokenOptionError, match=says):
        signed_tokens(options, FakeClock())


def test_keys_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    private, _ = _keys(tmp_path, "ES256")
    _, public = _keys(tmp_path / "other", "ES256")
    with pytest.raises(TokenOptionError, match="no pair"):
        signed_tokens(f"sign-method=ES256,priv-key={private},pub-key={public}", FakeClock())
    with pytest.raises(TokenOptionError, match="not one for RS256"):
        signed_tokens(f"sign-method=RS256,priv-key={private}", FakeClock())
    with pytest.raises(TokenOptionError, match="curve"):
        signed_tokens(f"sign-method=ES384,priv-key={private}", FakeClock())
