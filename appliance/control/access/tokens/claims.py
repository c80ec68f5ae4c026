"""What stands in a token of a service account. Pure values.

Two forms: bound tokens, for an audience, a time and an object; and those that lie in a Secret of
type kubernetes.io/service-account-token, which are good for as long as the Secret is there.
Source: kubernetes `pkg/serviceaccount/{claims,legacy}.go`, KEP-1205.
"""

import msgspec

LEGACY_ISSUER = "kubernetes/serviceaccount"


class Ref(msgspec.Struct, frozen=True, omit_defaults=True):
    """An object, told from others of its name by its uid."""

    name: str = ""
    uid: str = ""


class Bound(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The account, and what the token lives and dies with."""

    namespace: str = ""
    node: Ref | None = None
    pod: Ref | None = None
    secret: Ref | None = None
    serviceaccount: Ref = Ref()


class Claims(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A token's content; times in seconds since 1970."""

    aud: list[str] = []
    exp: int = 0
    iat: int = 0
    iss: str = ""
    jti: str = ""
    nbf: int = 0
    sub: str = ""
    bound: Bound | None = msgspec.field(default=None, name="kubernetes.io")
    legacy_namespace: str = msgspec.field(default="", name="kubernetes.io/serviceaccount/namespace")
    legacy_secret: str = msgspec.field(default="", name="kubernetes.io/serviceaccount/secret.name")
    legacy_name: str = msgspec.field(
        default="", name="kubernetes.io/serviceaccount/service-account.name"
    )
    legacy_uid: str = msgspec.field(
        default="", name="kubernetes.io/serviceaccount/service-account.uid"
    )


def read_claims(payload: bytes) -> Claims:
    """Read a token's content.

    Raises:
        ValueError: it has another form.
    """
    return msgspec.json.decode(payload, type=Claims)


def write_claims(claims: Claims) -> bytes:
    """Write it, names in the order that upstream has."""
    return msgspec.json.encode(claims)
