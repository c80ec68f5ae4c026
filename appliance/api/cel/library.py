"""Every function and method by name."""

from collections.abc import Callable
from typing import Any

from appliance.api.cel import conversions, kube, lists, texts, times
from appliance.api.cel.values import NOTHING, CelError, Maybe


def _maybe(work: Callable[..., Any]) -> Callable[..., Any]:
    def do(target: Any, *args: Any) -> Any:
        if not isinstance(target, Maybe):
            raise CelError("no such overload")
        return work(target, *args)

    return do


def _value(found: Maybe) -> Any:
    if not found.present:
        raise CelError("optional.none() dereference")
    return found.value


def _of_non_zero(value: Any) -> Maybe:
    empty = value is None or value in (0, "", b"", False) or value in ([], {})
    return NOTHING if empty else Maybe(present=True, value=value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **conversions.FUNCTIONS,
    **lists.FUNCTIONS,
    **kube.FUNCTIONS,
    "matches": texts.matches,
    "optional.of": lambda value: Maybe(present=True, value=value),
    "optional.none": lambda: NOTHING,
    "optional.ofNonZeroValue": _of_non_zero,
}
METHODS: dict[str, Callable[..., Any]] = {
    **texts.METHODS,
    **times.METHODS,
    **lists.METHODS,
    **kube.METHODS,
    "hasValue": _maybe(lambda found: found.present),
    "value": _maybe(_value),
    "orValue": _maybe(lambda found, other: found.value if found.present else other),
    "or": _maybe(lambda found, other: found if found.present else other),
}
