"""Who am I, whose is this token: posted, answered in status, never stored.

Answered by `control.http.reviews`. Source: k8s.io/api `authentication/v1`.
"""

from typing import Annotated

from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, always


class UserInfo(Message):
    """A user as the server sees it."""

    username: Annotated[str, F(1, "Name, unique among users.")] = ""
    uid: Annotated[str, F(2, "Tells users of the same name apart over time.")] = ""
    groups: Annotated[list[str], F(3, "Groups that the user is in.", list_type="atomic")] = []
    extra: Annotated[dict[str, list[str]], F(4, "Further facts about the user.")] = {}


class SelfSubjectReviewStatus(Message):
    """The answer."""

    userInfo: Annotated[UserInfo, F(1, "The user.")] = always(UserInfo)


class SelfSubjectReview(KubeObject):
    """Who am I?"""

    status: Annotated[SelfSubjectReviewStatus, F(2, "The answer.")] = always(
        SelfSubjectReviewStatus
    )


class TokenReviewSpec(Message):
    """The question."""

    token: Annotated[str, F(1, "Bearer token that somebody presented.")] = ""
    audiences: Annotated[
        list[str], F(2, "For whom it must be meant; empty is the API server.", list_type="atomic")
    ] = []


class TokenReviewStatus(Message):
    """The answer."""

    authenticated: Annotated[bool, F(1, "Whether the token is known.")] = False
    user: Annotated[UserInfo, F(2, "Whose it is.")] = always(UserInfo)
    audiences: Annotated[list[str], F(4, "For whom it is meant.", list_type="atomic")] = []
    error: Annotated[str, F(3, "Why it is not known.")] = ""


class TokenReview(KubeObject):
    """Whose is this token?"""

    spec: Annotated[TokenReviewSpec, F(2, "The question.")] = always(TokenReviewSpec)
    status: Annotated[TokenReviewStatus, F(3, "The answer.")] = always(TokenReviewStatus)
