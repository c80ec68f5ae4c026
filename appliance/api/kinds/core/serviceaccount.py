"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind, Subresource
from appliance.api.kinds.core.references import LocalObjectReference, ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F


class ServiceAccount(KubeObject):
    """TODO."""

    secrets: Annotated[
        list[ObjectReference],
        F(2, "", merge=True, merge_key="name", list_type="map", list_keys=("name",)),
    ] = []
    imagePullSecrets: Annotated[list[LocalObjectReference], F(3, "", list_type="atomic")] = []
    automountServiceAccountToken: Annotated[bool | None, F(4, "")] = None


SERVICE_ACCOUNT = Kind(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    singular="serviceaccount",
    namespaced=True,
    type=ServiceAccount,
    short_names=("sa",),
    subresources=(
        Subresource(
            name="token", verbs=("create",), kind="TokenRequest", group="authentication.k8s.io"
        ),
    ),
)
