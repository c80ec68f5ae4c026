"""Kinds that are only posted: reviews, and bindings. They are answered at once and never stored.

For the documents that clients learn kinds from; who answers them is said in `control/http`.
"""

from typing import Any

from appliance.api.kind import Kind
from appliance.api.kinds.authentication.reviews import SelfSubjectReview, TokenReview
from appliance.api.kinds.authorization.reviews import (
    LocalSubjectAccessReview,
    SelfSubjectAccessReview,
    SelfSubjectRulesReview,
    SubjectAccessReview,
)
from appliance.api.kinds.core.pod.object import Binding
from appliance.api.meta import KubeObject


def _posted(group: str, struct: type[KubeObject], *, namespaced: bool = False) -> Kind[Any]:
    kind = struct.__name__
    return Kind(
        group=group,
        version="v1",
        kind=kind,
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        namespaced=namespaced,
        type=struct,
        verbs=("create",),
    )


POSTED: tuple[Kind[Any], ...] = (
    _posted("", Binding, namespaced=True),
    _posted("authentication.k8s.io", SelfSubjectReview),
    _posted("authentication.k8s.io", TokenReview),
    _posted("authorization.k8s.io", LocalSubjectAccessReview, namespaced=True),
    _posted("authorization.k8s.io", SelfSubjectAccessReview),
    _posted("authorization.k8s.io", SelfSubjectRulesReview),
    _posted("authorization.k8s.io", SubjectAccessReview),
)
