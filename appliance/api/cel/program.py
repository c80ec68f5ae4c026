"""An expression, ready to be worked out as often as wanted.

    rule = compile_expression("self.min <= self.max", {"self"})
    rule.evaluate({"self": {"min": 1, "max": 2}})     → True

Nodes become closures once. Bounded by `STEPS` steps a run: what takes more is an error. Errors
inside `&&` and `||` count only where the other side does not decide, as the language has it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from appliance.api.cel.checking import check
from appliance.api.cel.library import FUNCTIONS, METHODS
from appliance.api.cel.loops import LOOPS
from appliance.api.cel.operators import BINARY, UNARY
from appliance.api.cel.parser import parse
from appliance.api.cel.scope import Run, Scope
from appliance.api.cel.syntax import (
    Call,
    CelSyntaxError,
    Ident,
    Index,
    ListOf,
    Literal,
    Loop,
    MapOf,
    Node,
    Select,
    Struct,
)
from appliance.api.cel.values import NOTHING, CelError, Made, Maybe, TypeName

Json = dict[str, Any]
Step = Callable[[Scope], Any]
STEPS = 100_000


class Program:
    """A compiled expression."""

    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self.node = node
        self._run = _compiled(node)

    def evaluate(self, variables: Mapping[str, Any], steps: int = STEPS) -> Any:
        """Work it out.

        Raises:
            CelError: it cannot be, or takes too long.
        """
        try:
            return self._run(Scope(variables, Run(steps)))
        except RecursionError as error:
            raise CelError("nested too deeply") from error


def compile_expression(
    text: str, names: frozenset[str] | set[str], schemas: Json | None = None
) -> Program:
    """Read an expression that may use these variables.

    `schemas` are of variables whose fields are known.

    Raises:
        CelSyntaxError: it is none, or names what is not there.
    """
    try:
        node = parse(text)
        check(text, node, names, schemas or {})
        return Program(text, node)
    except RecursionError as error:  # a chain of hundreds of operators
        raise CelSyntaxError(text, 0, "expression recursion limit exceeded") from error


def _compiled(node: Node) -> Step:
    return _COMPILERS[type(node)](node)


def _literal(node: Literal) -> Step:
    value = node.value
    return lambda _scope: value


_TYPE_NAMES = frozenset(
    {"int", "uint", "double", "string", "bool", "bytes", "list", "map", "null_type", "type"}
)


def _ident(node: Ident) -> Step:
    name = node.name

    def read(scope: Scope) -> Any:
        try:
            return scope.names[name]
        except KeyError:
            if name in _TYPE_NAMES:
                return TypeName(name)
            raise CelError(f"no such attribute(s): {name}") from None

    return read


def _select(node: Select) -> Step:
    target, name = _compiled(node.target), node.name

    def read(scope: Scope) -> Any:
        scope.run.spend()
        value = target(scope)
        if isinstance(value, Maybe):
            return _field(value.value, name) if value.present else NOTHING
        if node.test:
            return name in _fields(value, name)
        if node.optional:
            return _field(value, name)
        found = _fields(value, name)
        if name not in found:
            raise CelError(f"no such key: {name}")
        return found[name]

    return read


def _fields(value: Any, name: str) -> dict[Any, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, Made):
        return value.fields
    raise CelError(f"no such key: {name}" if value is None else "no such overload")


def _field(value: Any, name: str) -> Maybe:
    found = _fields(value, name) if value is not None else {}
    return Maybe(present=True, value=found[name]) if name in found else NOTHING


def _index(node: Index) -> Step:
    target, key = _compiled(node.target), _compiled(node.key)

    def read(scope: Scope) -> Any:
        scope.run.spend()
        value, at = target(scope), key(scope)
        if isinstance(value, Maybe):
            return _element(value.value, at, optional=True) if value.present else NOTHING
        return _element(value, at, optional=node.optional)

    return read


def _element(value: Any, at: Any, *, optional: bool) -> Any:
    if isinstance(value, dict):
        there = not isinstance(at, list | dict) and at in value
        missing = f"no such key: {at}"
    elif isinstance(value, list):
        if isinstance(at, float) and at.is_integer():
            at = int(at)
        if not isinstance(at, int) or isinstance(at, bool):
            raise CelError("no such overload")
        there = 0 <= at < len(value)
        missing = f"index out of bounds: {at}"
    else:
        raise CelError("no such overload")
    if optional:
        return Maybe(present=True, value=value[at]) if there else NOTHING
    if not there:
        raise CelError(missing)
    return value[at]


def _list(node: ListOf) -> Step:
    items = [_compiled(item) for item in node.items]

    def make(scope: Scope) -> list[Any]:
        made: list[Any] = []
        for place, item in enumerate(items):
            scope.run.spend()
            value = item(scope)
            if place not in node.optional:
                made.append(value)
            elif value.present:
                made.append(value.value)
        return made

    return make


def _map(node: MapOf) -> Step:
    entries = [(_compiled(key), _compiled(value)) for key, value in node.entries]

    def make(scope: Scope) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for place, (read_key, read_value) in enumerate(entries):
            scope.run.spend()
            key, value = read_key(scope), read_value(scope)
            if not isinstance(key, str | int | bool):
                raise CelError(f"unsupported key type: {type(key).__name__}")
            if place not in node.optional:
                made[key] = value
            elif value.present:
                made[key] = value.value
        return made

    return make


def _struct(node: Struct) -> Step:
    fields = [(name, _compiled(value)) for name, value in node.fields]
    return lambda scope: Made(node.type, {name: value(scope) for name, value in fields})


def _loop(node: Loop) -> Step:
    keep = _compiled(node.keep) if node.keep is not None else None
    return LOOPS[node.kind](node, _compiled(node.target), _compiled(node.step), keep)


def _call(node: Call) -> Step:
    args = [_compiled(arg) for arg in node.args]
    name = node.name
    if node.target is None:
        if name in _SHORT:
            return _SHORT[name](args)
        if name in UNARY:
            return _applied(UNARY[name], args)
        return _applied(BINARY.get(name) or FUNCTIONS[name], args)
    full = _qualified(node.target, name)
    if full in FUNCTIONS:
        return _applied(FUNCTIONS[full], args)
    return _applied(METHODS[name], [_compiled(node.target), *args])


def _qualified(target: Node, name: str) -> str:
    return f"{target.name}.{name}" if isinstance(target, Ident) else ""


def _applied(work: Callable[..., Any], args: list[Step]) -> Step:
    def do(scope: Scope) -> Any:
        values = [arg(scope) for arg in args]
        scope.run.spend(1 + sum(len(v) for v in values if isinstance(v, str | list)) // 10)
        try:
            return work(*values)
        except (
            TypeError
        ) as error:  # too many arguments, or of types that the function has no use for
            raise CelError("no such overload") from error

    return do


def _condition(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError("no such overload")
    return value


def _junction(decides: bool) -> Callable[[list[Step]], Step]:
    def compiled(args: list[Step]) -> Step:
        left, right = args

        def do(scope: Scope) -> bool:
            scope.run.spend()
            try:
                first = _condition(left(scope))
            except CelError as error:
                if _condition(right(scope)) is decides:
                    return decides
                raise error from None
            return decides if first is decides else _condition(right(scope))

        return do

    return compiled


def _choice(args: list[Step]) -> Step:
    asked, yes, no = args
    return lambda scope: (yes if _condition(asked(scope)) else no)(scope)


_SHORT: dict[str, Callable[[list[Step]], Step]] = {
    "_&&_": _junction(decides=False),
    "_||_": _junction(decides=True),
    "_?_:_": _choice,
}
_COMPILERS: dict[type, Callable[[Any], Step]] = {
    Literal: _literal,
    Ident: _ident,
    Select: _select,
    Index: _index,
    Call: _call,
    ListOf: _list,
    MapOf: _map,
    Struct: _struct,
    Loop: _loop,
}
