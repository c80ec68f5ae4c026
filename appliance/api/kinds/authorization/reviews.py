"""Access reviews: posted with a question in spec, answered in status, never stored.

Answered by `control.http.reviews`. Source: k8s.io/api `authorization/v1`.
"""

from typing import Annotated

from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, always


class ResourceAttributes(Message):
    """A question about a resource."""

    namespace: Annotated[str, F(1, "Namespace of the action; empty is all, or none.")] = ""
    verb: Annotated[str, F(2, "Verb such as get or list; * is all.")] = ""
    group: Annotated[str, F(3, "API group; * is all.")] = ""
    version: Annotated[str, F(4, "API version; * is all.")] = ""
    resource: Annotated[str, F(5, "Plural of the resource; * is all.")] = ""
    subresource: Annotated[str, F(6, "Sub-resource, or empty.")] = ""
    name: Annotated[str, F(7, "Name of the object; empty is all.")] = ""


class NonResourceAttributes(Message):
    """A question about a path that is no resource."""

    path: Annotated[str, F(1, "URL path.")] = ""
    verb: Annotated[str, F(2, "HTTP verb in lower case.")] = ""


class SelfSubjectAccessReviewSpec(Message):
    """What is asked; exactly one of both."""

    resourceAttributes: Annotated[ResourceAttributes | None, F(1, "About a resource.")] = None
    nonResourceAttributes: Annotated[NonResourceAttributes | None, F(2, "About a path.")] = None


class SubjectAccessReviewSpec(SelfSubjectAccessReviewSpec):
    """What is asked, and about whom."""

    user: Annotated[str, F(3, "Name of the user.")] = ""
    groups: Annotated[list[str], F(4, "Groups of the user.", list_type="atomic")] = []
    extra: Annotated[dict[str, list[str]], F(5, "Further facts about the user.")] = {}
    uid: Annotated[str, F(6, "UID of the user.")] = ""


class SubjectAccessReviewStatus(Message):
    """The answer."""

    allowed: Annotated[bool, F(1, "Whether it is allowed.", required=True)] = always(bool)
    denied: Annotated[bool, F(4, "Whether it is denied for good.")] = False
    reason: Annotated[str, F(2, "Why, for people.")] = ""
    evaluationError: Annotated[str, F(3, "What went wrong while deciding.")] = ""


class SelfSubjectAccessReview(KubeObject):
    """May I?"""

    spec: Annotated[SelfSubjectAccessReviewSpec, F(2, "The question.")] = always(
        SelfSubjectAccessReviewSpec
    )
    status: Annotated[SubjectAccessReviewStatus, F(3, "The answer.")] = always(
        SubjectAccessReviewStatus
    )


class SubjectAccessReview(KubeObject):
    """May somebody?"""

    spec: Annotated[SubjectAccessReviewSpec, F(2, "The question.")] = always(
        SubjectAccessReviewSpec
    )
    status: Annotated[SubjectAccessReviewStatus, F(3, "The answer.")] = always(
        SubjectAccessReviewStatus
    )


class LocalSubjectAccessReview(SubjectAccessReview):
    """May somebody do something in this namespace?"""


class SelfSubjectRulesReviewSpec(Message):
    """Where."""

    namespace: Annotated[str, F(1, "Namespace to look at.")] = ""


class ResourceRule(Message):
    """What may be done with some resources."""

    verbs: Annotated[list[str], F(1, "Verbs; * is all.", required=True)] = always(list)
    apiGroups: Annotated[list[str], F(2, "API groups; * is all.")] = []
    resources: Annotated[list[str], F(3, "Resources; * is all.")] = []
    resourceNames: Annotated[list[str], F(4, "Names it is limited to.")] = []


class NonResourceRule(Message):
    """What may be done with some paths."""

    verbs: Annotated[list[str], F(1, "Verbs; * is all.", required=True)] = always(list)
    nonResourceURLs: Annotated[list[str], F(2, "Paths; a * at the end is any rest.")] = []


class SubjectRulesReviewStatus(Message):
    """All rules, as far as they can be listed."""

    resourceRules: Annotated[list[ResourceRule], F(1, "For resources.", required=True)] = always(
        list
    )
    nonResourceRules: Annotated[list[NonResourceRule], F(2, "For paths.", required=True)] = always(
        list
    )
    incomplete: Annotated[bool, F(3, "Whether there may be more.", required=True)] = always(bool)
    evaluationError: Annotated[str, F(4, "What went wrong while listing.")] = ""


class SelfSubjectRulesReview(KubeObject):
    """What may I do in a namespace?"""

    spec: Annotated[SelfSubjectRulesReviewSpec, F(2, "Where.")] = always(SelfSubjectRulesReviewSpec)
    status: Annotated[SubjectRulesReviewStatus, F(3, "The rules.")] = always(
        SubjectRulesReviewStatus
    )
