"""ValidatingWebhookConfiguration: asks others whether a write may happen."""

from typing import Annotated, Any

from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds.admissionregistration import webhook_rules as rules
from appliance.api.kinds.admissionregistration.webhook_parts import (
    MatchCondition,
    RuleWithOperations,
    WebhookClientConfig,
)
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject, LabelSelector
from appliance.api.schema import F, Int32, Message, always, nullable


class ValidatingWebhook(Message):
    """Somebody who is asked whether a write may happen."""

    name: Annotated[str, F(1, "Its name, as a domain name.", required=True)] = always(str)
    clientConfig: Annotated[WebhookClientConfig, F(2, "How it is reached.", required=True)] = (
        always(WebhookClientConfig)
    )
    rules: Annotated[
        list[RuleWithOperations], F(3, "Which writes it is asked about.", list_type="atomic")
    ] = []
    failurePolicy: Annotated[str | None, F(4, "What if it does not answer: Fail or Ignore.")] = None
    matchPolicy: Annotated[
        str | None, F(9, "Exact, or Equivalent: through other versions too.")
    ] = None
    namespaceSelector: Annotated[
        LabelSelector | None, F(5, "Only objects in namespaces with these labels.")
    ] = None
    objectSelector: Annotated[LabelSelector | None, F(10, "Only objects with these labels.")] = None
    sideEffects: Annotated[
        str | None, F(6, "What asking does beside answering: None or NoneOnDryRun.", required=True)
    ] = nullable()
    timeoutSeconds: Annotated[Int32 | None, F(7, "How long it may take; 10 unless said.")] = None
    admissionReviewVersions: Annotated[
        list[str],
        F(8, "Versions of the question that it understands.", required=True, list_type="atomic"),
    ] = always(list)
    matchConditions: Annotated[
        list[MatchCondition],
        F(
            11,
            "Further conditions, in the expression language.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []


class ValidatingWebhookConfiguration(KubeObject):
    """Asks others whether a write may happen."""

    webhooks: Annotated[
        list[ValidatingWebhook],
        F(
            2,
            "Who is asked about what.",
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = []


def _cells(obj: ValidatingWebhookConfiguration, now: float) -> list[Any]:
    return [obj.metadata.name, len(obj.webhooks), age(obj, now)]


def _set_defaults(obj: ValidatingWebhookConfiguration) -> None:
    for hook in obj.webhooks:
        rules.set_webhook_defaults(hook)


def _desired(obj: ValidatingWebhookConfiguration) -> Any:
    return obj.webhooks


def _validate(obj: ValidatingWebhookConfiguration) -> list[Cause]:
    return rules.validate_webhooks(obj.webhooks)


def _validate_update(
    new: ValidatingWebhookConfiguration, _old: ValidatingWebhookConfiguration
) -> list[Cause]:
    return _validate(new)


VALIDATING_WEBHOOK_CONFIGURATION = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    singular="validatingwebhookconfiguration",
    namespaced=False,
    type=ValidatingWebhookConfiguration,
    categories=("api-extensions",),
    columns=(Column("Name", format="name"), Column("Webhooks", "integer"), Column("Age")),
    cells=_cells,
    set_defaults=_set_defaults,
    desired=_desired,
    validate=_validate,
    validate_update=_validate_update,
    unconditional_update=False,
)
