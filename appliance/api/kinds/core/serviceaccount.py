"""ServiceAccount: who a pod is when it talks to the API."""

from typing import Annotated, Any

from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.references import LocalObjectReference, ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F


class ServiceAccount(KubeObject):
    """An identity for processes in pods, with what they need to pull images."""

    secrets: Annotated[
        list[ObjectReference],
        F(
            2,
            "Secrets in the same namespace that its pods may use; only the names are kept.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []
    imagePullSecrets: Annotated[
        list[LocalObjectReference],
        F(3, "Secrets with registry logins that its pods get.", list_type="atomic"),
    ] = []
    automountServiceAccountToken: Annotated[
        bool | None, F(4, "Whether pods get a token mounted; the pod may say otherwise.")
    ] = None


def _cells(obj: ServiceAccount, now: float) -> list[Any]:
    return [obj.metadata.name, age(obj, now)]


def _keep_names_of_secrets(new: ServiceAccount, _old: ServiceAccount | None = None) -> None:
    new.secrets = [ObjectReference(name=s.name) for s in new.secrets]


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
    columns=(Column("Name", format="name"), Column("Age")),
    cells=_cells,
    prepare_create=_keep_names_of_secrets,
    prepare_update=_keep_names_of_secrets,
    has_generation=False,
)
