"""Join tokens: what their text says, and what is left of them at rest."""

import pytest

from appliance.api import jointoken

HASH = "ab" * 32
BEARER = "k3x9ab.0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "ca_hash", "bearer"),
    [
        (f"K10{HASH}::{BEARER}", HASH, BEARER),
        (f" K10{HASH}::{BEARER}\n", HASH, BEARER),
        (f"K10{HASH}::server:word", HASH, "word"),
        ("word", "", "word"),
        (BEARER, "", BEARER),
    ],
)
def test_what_a_token_says(text: str, ca_hash: str, bearer: str) -> None:
    assert jointoken.parse(text) == jointoken.JoinToken(ca_hash, bearer)


@pytest.mark.parametrize("text", ["", "  ", "K10abc::x", f"K10{HASH}", f"K10{HASH}::", "two words"])
def test_half_a_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="copy it whole"):
        jointoken.parse(text)


def test_a_token_is_read_as_it_was_written() -> None:
    token = jointoken.JoinToken(HASH, BEARER)
    assert jointoken.parse(token.text()) == token


def test_at_rest_there_is_no_secret() -> None:
    secret = jointoken.to_secret(BEARER, description="attic", expires=1_700_000_000.0)
    assert secret.metadata.name == "bootstrap-token-k3x9ab"
    assert not any(b"0123456789abcdef" in value for value in secret.data.values())
    entry = jointoken.from_secret(secret)
    assert (entry.id, entry.description, entry.expires) == ("k3x9ab", "attic", 1_700_000_000.0)
    assert entry.matches(BEARER)
    assert not entry.matches("k3x9ab.0123456789abcdeg")
    assert (entry.expired(1_699_999_999.0), entry.expired(1_700_000_000.0)) == (False, True)
    assert "0123456789abcdef" not in repr(jointoken.JoinToken(HASH, BEARER))
