"""Who asks."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.api.errors import Unauthorized
from appliance.control.access.authn import ANONYMOUS, CertificatesAndTokens, StaticToken
from appliance.control.registry.base import User
from appliance.kit.pki import Subject, issue, new_ca

ADMIN = User(name="admin", groups=("system:masters",))
AUTHENTICATOR = CertificatesAndTokens([StaticToken("s3cret", ADMIN)])


def certificate(name: str, *groups: str) -> bytes:
    ca = new_ca("ca", now=1_700_000_000.0)
    subject = Subject(common_name=name, organizations=groups, client=True)
    pem = issue(ca, subject, now=1_700_000_000.0).cert_pem
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


async def test_a_certificate_names_user_and_groups() -> None:
    user = await AUTHENTICATOR.authenticate("", certificate("system:node:n1", "system:nodes"))
    assert user.name == "system:node:n1"
    assert user.groups == ("system:nodes", "system:authenticated")


async def test_a_token_stands_for_its_user() -> None:
    user = await AUTHENTICATOR.authenticate("Bearer s3cret", None)
    assert (user.name, user.groups) == ("admin", ("system:masters", "system:authenticated"))


async def test_an_unknown_token_is_refused_and_not_taken_for_nobody() -> None:
    with pytest.raises(Unauthorized, match="Unauthorized"):
        await AUTHENTICATOR.authenticate("Bearer wrong", None)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi"])
async def test_without_credentials_one_is_anonymous(header: str) -> None:
    assert await AUTHENTICATOR.authenticate(header, None) is ANONYMOUS


def test_a_token_is_not_shown_in_logs() -> None:
    assert "s3cret" not in repr(StaticToken("s3cret", ADMIN))
