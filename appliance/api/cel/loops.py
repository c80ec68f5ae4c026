"""Macros over elements: what each kind of loop gives."""

from collections.abc import Callable, Iterator
from typing import Any

from appliance.api.cel.scope import Scope
from appliance.api.cel.syntax import Loop
from appliance.api.cel.values import NOTHING, CelError, Maybe, OutOfBudget

Step = Callable[[Scope], Any]
Maker = Callable[[Loop, Step, Step, Step | None], Step]


def _rounds(node: Loop, value: Any, scope: Scope) -> Iterator[tuple[Scope, Any, Any]]:
    """A scope, the first name and the element, for each element."""
    if isinstance(value, dict):
        pairs = list(value.items())
        singles: list[Any] = list(value)
    elif isinstance(value, list):
        pairs = list(enumerate(value))
        singles = value
    else:
        raise CelError("no such overload")
    for place, pair in enumerate(pairs):
        scope.run.spend()
        found = pair if len(node.names) == 2 else (singles[place],)
        names = dict(zip(node.names, found, strict=True))
        yield scope.within(names), pair[0], singles[place]


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError("no such overload")
    return value


def _decided(*, by: bool) -> Maker:
    """`all` is decided by the first false, `exists` by the first true; errors wait for that."""

    def make(node: Loop, target: Step, step: Step, _keep: Step | None) -> Step:
        def do(scope: Scope) -> bool:
            failed: CelError | None = None
            for inner, _, _ in _rounds(node, target(scope), scope):
                try:
                    if _bool(step(inner)) is by:
                        return by
                except OutOfBudget:
                    raise
                except CelError as error:
                    failed = error
            if failed is not None:
                raise failed
            return not by

        return do

    return make


def _exists_one(node: Loop, target: Step, step: Step, _keep: Step | None) -> Step:
    return lambda scope: (
        sum(_bool(step(inner)) for inner, _, _ in _rounds(node, target(scope), scope)) == 1
    )


def _filter(node: Loop, target: Step, step: Step, _keep: Step | None) -> Step:
    return lambda scope: [
        element for inner, _, element in _rounds(node, target(scope), scope) if _bool(step(inner))
    ]


def _map(node: Loop, target: Step, step: Step, keep: Step | None) -> Step:
    return lambda scope: [
        step(inner)
        for inner, _, _ in _rounds(node, target(scope), scope)
        if keep is None or _bool(keep(inner))
    ]


def _transform_map(node: Loop, target: Step, step: Step, keep: Step | None) -> Step:
    return lambda scope: {
        key: step(inner)
        for inner, key, _ in _rounds(node, target(scope), scope)
        if keep is None or _bool(keep(inner))
    }


def _opt(*, flat: bool) -> Maker:
    def make(node: Loop, target: Step, step: Step, _keep: Step | None) -> Step:
        def do(scope: Scope) -> Maybe:
            value = target(scope)
            if not isinstance(value, Maybe):
                raise CelError("no such overload")
            if not value.present:
                return NOTHING
            found = step(scope.within({node.names[0]: value.value}))
            return found if flat and isinstance(found, Maybe) else Maybe(present=True, value=found)

        return do

    return make


LOOPS: dict[str, Maker] = {
    "all": _decided(by=False),
    "exists": _decided(by=True),
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _map,
    "transformMap": _transform_map,
    "optMap": _opt(flat=False),
    "optFlatMap": _opt(flat=True),
}
