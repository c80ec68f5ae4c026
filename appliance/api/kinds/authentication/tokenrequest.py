"""TokenRequest: asks for a token of a service account; posted to serviceaccounts/token.

Answered by `control.http.tokens`, never stored. Source: k8s.io/api `authentication/v1`.
"""

from typing import Annotated

from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int64, Message, Time, always, nullable

GROUP_VERSION = "authentication.k8s.io/v1"
DEFAULT_S = 3600


class BoundObjectReference(Message):
    """The object that a token lives and dies with."""

    kind: Annotated[str, F(1, "Pod, Secret or Node.")] = ""
    apiVersion: Annotated[str, F(2, "Its API version.")] = ""
    name: Annotated[str, F(3, "Its name.")] = ""
    uid: Annotated[str, F(4, "Its UID.")] = ""


class TokenRequestSpec(Message):
    """The token that is wanted."""

    audiences: Annotated[
        list[str] | None,
        F(1, "For whom it is; empty is the API server.", required=True, list_type="atomic"),
    ] = nullable()
    expirationSeconds: Annotated[
        Int64 | None, F(4, "How long it is wanted; at least ten minutes.", default=DEFAULT_S)
    ] = nullable()
    boundObjectRef: Annotated[
        BoundObjectReference | None, F(3, "The object that it lives and dies with.")
    ] = nullable()


class TokenRequestStatus(Message):
    """The token."""

    token: Annotated[str, F(1, "The token.", required=True)] = always(str)
    expirationTimestamp: Annotated[Time | None, F(2, "When it ends.", required=True)] = nullable()


class TokenRequest(KubeObject):
    """Asks for a token of a service account."""

    spec: Annotated[TokenRequestSpec, F(2, "The token that is wanted.", required=True)] = always(
        TokenRequestSpec
    )
    status: Annotated[TokenRequestStatus, F(3, "The token.")] = always(TokenRequestStatus)
