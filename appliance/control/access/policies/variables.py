"""What expressions about a write can look at: the object, the request, values of others. Pure."""

from collections.abc import Iterable
from typing import Any

from typing_extensions import override

from appliance.api import codec
from appliance.api.cel.values import CelError
from appliance.control.access.policies.matching import program
from appliance.control.access.steps.base import Attempt
from appliance.control.access.webhooks.review import question

Json = dict[str, Any]


def of_attempt(attempt: Attempt) -> Json:
    """`object`, `oldObject` and `request`."""
    request: Json = question(attempt, "")["request"]
    return {
        "object": request.pop("object"),
        "oldObject": request.pop("oldObject"),
        "request": {k: v for k, v in request.items() if k != "uid"},
    }


def plain(kind: Any, obj: Any) -> Any:
    """An object of the cluster, as expressions see it."""
    if obj is None:
        return None
    return {**codec.to_plain(obj), "kind": kind.kind, "apiVersion": kind.api_version}


class Composed(dict[str, Any]):
    """`variables`: each is worked out when it is first asked for; later ones may use earlier."""

    def __init__(self, declared: Iterable[Any], names: frozenset[str], values: Json) -> None:
        super().__init__()
        self._texts = {variable.name: variable.expression for variable in declared}
        self._names = names
        self._values = values
        self._under_way: set[str] = set()

    @override
    def __contains__(self, name: object) -> bool:
        return name in self._texts

    @override
    def __getitem__(self, name: str) -> Any:
        found = dict.get(self, name, self)
        if found is not self:
            return found
        if name in self._under_way:
            raise CelError(f"variable {name} refers to itself")
        self._under_way.add(name)
        try:
            found = program(self._texts[name], self._names).evaluate(
                {**self._values, "variables": self}
            )
        finally:
            self._under_way.discard(name)
        self[name] = found
        return found
