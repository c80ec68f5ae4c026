"""CustomResourceDefinition: a kind that users add while the server runs.

The types; what must hold is in `definition_rules.py`. Schemas are kept as plain JSON.
"""

from typing import Annotated

from appliance.api.kinds.apiextensions import definition_parts as parts
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int64, Message, Time, always, nullable


class CustomResourceDefinitionSpec(Message):
    """The kind, and its versions."""

    group: Annotated[str, F(1, "Its group.", required=True)] = always(str)
    names: Annotated[parts.CustomResourceDefinitionNames, F(3, "Its names.", required=True)] = (
        always(parts.CustomResourceDefinitionNames)
    )
    scope: Annotated[str, F(4, "Cluster or Namespaced.", required=True)] = always(str)
    versions: Annotated[
        list[parts.CustomResourceDefinitionVersion],
        F(7, "Its versions; one is stored.", required=True, list_type="atomic"),
    ] = always(list)
    conversion: Annotated[
        parts.CustomResourceConversion | None, F(9, "How one version becomes another.")
    ] = None
    preserveUnknownFields: Annotated[
        bool, F(10, "Old form of x-kubernetes-preserve-unknown-fields; must be false.")
    ] = False


class CustomResourceDefinitionCondition(Message):
    """One aspect of a definition: NamesAccepted, Established or Terminating."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""
    observedGeneration: Annotated[Int64, F(6, "Generation that this was seen at.")] = 0


class CustomResourceDefinitionStatus(Message):
    """How far a definition is."""

    conditions: Annotated[
        list[CustomResourceDefinitionCondition] | None,
        F(1, "How it is, aspect by aspect.", list_type="map", list_keys=("type",)),
    ] = nullable()
    acceptedNames: Annotated[
        parts.CustomResourceDefinitionNames, F(2, "The names that it is served under.")
    ] = always(parts.CustomResourceDefinitionNames)
    storedVersions: Annotated[
        list[str] | None, F(3, "Versions that objects were ever stored in.", list_type="atomic")
    ] = nullable()
    observedGeneration: Annotated[Int64, F(4, "Generation that this was seen at.")] = 0


class CustomResourceDefinition(KubeObject):
    """A kind that users add while the server runs."""

    spec: Annotated[CustomResourceDefinitionSpec, F(2, "What is wanted.", required=True)] = always(
        CustomResourceDefinitionSpec
    )
    status: Annotated[CustomResourceDefinitionStatus, F(3, "What was seen last.")] = always(
        CustomResourceDefinitionStatus
    )
