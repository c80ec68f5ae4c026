"""Who am I: posted, answered in status, never stored.

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


class SelfSubjectReviewStatus(Message):
    """The answer."""

    userInfo: Annotated[UserInfo, F(1, "The user.")] = always(UserInfo)


class SelfSubjectReview(KubeObject):
    """Who am I?"""

    status: Annotated[SelfSubjectReviewStatus, F(2, "The answer.")] = always(
        SelfSubjectReviewStatus
    )
