"""Places that storage can be in, by labels of nodes."""

from typing import Annotated

from appliance.api.schema import F, Message, always


class TopologySelectorLabelRequirement(Message):
    """One test on a label of nodes."""

    key: Annotated[str, F(1, "The label.", required=True)] = always(str)
    values: Annotated[
        list[str], F(2, "Values that it may have.", required=True, list_type="atomic")
    ] = always(list)


class TopologySelectorTerm(Message):
    """Places, by labels of nodes; all tests must hold."""

    matchLabelExpressions: Annotated[
        list[TopologySelectorLabelRequirement], F(1, "The tests.", list_type="atomic")
    ] = []
