"""TODO."""

from typing import Annotated

from appliance.api.meta import DeleteOptions, KubeObject
from appliance.api.schema import F


class Eviction(KubeObject):
    """TODO."""

    deleteOptions: Annotated[DeleteOptions | None, F(2, "")] = None
