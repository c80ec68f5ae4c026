"""What webhook configurations are made of."""

from typing import Annotated, ClassVar

from appliance.api.schema import Bytes, F, Inline, Int32, Message, always


class Rule(Message):
    """Which resources are meant."""

    apiGroups: Annotated[list[str], F(1, "Their groups; * for all.", list_type="atomic")] = []
    apiVersions: Annotated[list[str], F(2, "Their versions; * for all.", list_type="atomic")] = []
    resources: Annotated[
        list[str], F(3, "Their names, such as pods, pods/status, */scale or *.", list_type="atomic")
    ] = []
    scope: Annotated[str | None, F(4, "Cluster, Namespaced or *.")] = None


class RuleWithOperations(Rule):
    """Which operations on which resources are meant."""

    INLINE: ClassVar[Inline] = ((Rule, 2),)
    operations: Annotated[
        list[str], F(1, "CREATE, UPDATE, DELETE, CONNECT or *.", list_type="atomic")
    ] = []


class ServiceReference(Message):
    """Names a service."""

    namespace: Annotated[str, F(1, "Its namespace.", required=True)] = always(str)
    name: Annotated[str, F(2, "Its name.", required=True)] = always(str)
    path: Annotated[str | None, F(3, "Path of the URL.")] = None
    port: Annotated[Int32 | None, F(4, "Its port; 443 unless said.")] = None


class WebhookClientConfig(Message):
    """How a webhook is reached: by URL or by service."""

    url: Annotated[str | None, F(3, "Its URL.")] = None
    service: Annotated[ServiceReference | None, F(1, "Its service.")] = None
    caBundle: Annotated[Bytes, F(2, "Certificates that it is trusted by, as PEM.")] = b""


class MatchCondition(Message):
    """A further condition, in the expression language."""

    name: Annotated[str, F(1, "Name of the condition.", required=True)] = always(str)
    expression: Annotated[str, F(2, "The expression.", required=True)] = always(str)
