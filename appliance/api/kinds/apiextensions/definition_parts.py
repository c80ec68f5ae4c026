"""The parts of a CustomResourceDefinition."""

from typing import Annotated

from appliance.api.schema import Bytes, F, Int32, Message, RawJson, always


class CustomResourceDefinitionNames(Message):
    """What a kind is called."""

    plural: Annotated[str, F(1, "Name in URLs, lower case.", required=True)] = always(str)
    singular: Annotated[str, F(2, "Name of one; the kind in lower case unless said.")] = ""
    shortNames: Annotated[list[str], F(3, "Short names.", list_type="atomic")] = []
    kind: Annotated[str, F(4, "Name in objects, in CamelCase.", required=True)] = always(str)
    listKind: Annotated[str, F(5, "Name of lists; the kind with List unless said.")] = ""
    categories: Annotated[
        list[str], F(6, "Groups of kinds that it is among, such as all.", list_type="atomic")
    ] = []


class CustomResourceValidation(Message):
    """What objects look like."""

    openAPIV3Schema: Annotated[RawJson, F(1, "Structural schema.")] = None


class CustomResourceSubresourceStatus(Message):
    """Says that status has a door of its own."""


class CustomResourceSubresourceScale(Message):
    """Says that there is a scale, and where its numbers are."""

    specReplicasPath: Annotated[str, F(1, "Path of the wanted number.", required=True)] = always(
        str
    )
    statusReplicasPath: Annotated[str, F(2, "Path of the number seen.", required=True)] = always(
        str
    )
    labelSelectorPath: Annotated[str | None, F(3, "Path of the selector, as text.")] = None


class CustomResourceSubresources(Message):
    """Doors beside the main one."""

    status: Annotated[
        CustomResourceSubresourceStatus | None, F(1, "Status has a door of its own.")
    ] = None
    scale: Annotated[CustomResourceSubresourceScale | None, F(2, "There is a scale.")] = None


class CustomResourceColumnDefinition(Message):
    """A column of tables."""

    name: Annotated[str, F(1, "Heading.", required=True)] = always(str)
    type: Annotated[str, F(2, "Type of the values.", required=True)] = always(str)
    format: Annotated[str, F(3, "Format of the values.")] = ""
    description: Annotated[str, F(4, "What it shows.")] = ""
    priority: Annotated[Int32, F(5, "0 for all, more for wide tables only.")] = 0
    jsonPath: Annotated[str, F(6, "Path of the value.", required=True)] = always(str)


class SelectableField(Message):
    """A field that objects can be selected by."""

    jsonPath: Annotated[str, F(1, "Path of the field.", required=True)] = always(str)


class CustomResourceDefinitionVersion(Message):
    """One version of a kind."""

    name: Annotated[str, F(1, "Name of the version, such as v1.", required=True)] = always(str)
    served: Annotated[bool, F(2, "Whether it is served.", required=True)] = always(bool)
    storage: Annotated[bool, F(3, "Whether objects are stored in it.", required=True)] = always(
        bool
    )
    deprecated: Annotated[bool, F(7, "Whether its users are warned.")] = False
    deprecationWarning: Annotated[str | None, F(8, "The warning.")] = None
    schema: Annotated[CustomResourceValidation | None, F(4, "What objects look like.")] = None
    subresources: Annotated[CustomResourceSubresources | None, F(5, "Doors beside the main.")] = (
        None
    )
    additionalPrinterColumns: Annotated[
        list[CustomResourceColumnDefinition], F(6, "Columns of tables.", list_type="atomic")
    ] = []
    selectableFields: Annotated[
        list[SelectableField], F(9, "Fields to select by.", list_type="atomic")
    ] = []


class ServiceReference(Message):
    """Names a service that answers webhooks."""

    namespace: Annotated[str, F(1, "Its namespace.", required=True)] = always(str)
    name: Annotated[str, F(2, "Its name.", required=True)] = always(str)
    path: Annotated[str | None, F(3, "Path of the URL.")] = None
    port: Annotated[Int32 | None, F(4, "Its port; 443 unless said.")] = None


class WebhookClientConfig(Message):
    """How a webhook is reached."""

    url: Annotated[str | None, F(3, "Its URL.")] = None
    service: Annotated[ServiceReference | None, F(1, "Its service.")] = None
    caBundle: Annotated[Bytes, F(2, "Certificates that it is trusted by.")] = b""


class WebhookConversion(Message):
    """A webhook that converts."""

    clientConfig: Annotated[WebhookClientConfig | None, F(2, "How it is reached.")] = None
    conversionReviewVersions: Annotated[
        list[str], F(3, "Versions of the question that it understands.", list_type="atomic")
    ] = always(list)


class CustomResourceConversion(Message):
    """How one version becomes another."""

    strategy: Annotated[str, F(1, "None: only the apiVersion changes. Webhook.", required=True)] = (
        always(str)
    )
    webhook: Annotated[WebhookConversion | None, F(2, "The webhook.")] = None
