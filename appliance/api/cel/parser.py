"""Tokens → syntax tree, by recursive descent; macros become loops here.

Bounded by `_DEPTH` levels of nesting. Source: cel-spec `doc/langdef.md`.
"""

from collections.abc import Callable

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
from appliance.api.cel.tokens import Token, tokens

_DEPTH = 40
_WORDS = {"true": True, "false": False, "null": None}
_RESERVED = frozenset({
    *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in"),
    *("let", "loop", "namespace", "package", "return", "var", "void", "while"),
})  # fmt: skip
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"<", "<=", ">", ">=", "==", "!=", "in"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
_ONE_NAME = {"all": "all", "exists": "exists", "exists_one": "exists_one", "filter": "filter"}
_TWO_NAMES = {
    "all": "all",
    "exists": "exists",
    "existsOne": "exists_one",
    "exists_one": "exists_one",
    "transformList": "map",
    "transformMap": "transformMap",
}
_OPT = {"optMap", "optFlatMap"}


def parse(text: str) -> Node:
    """Read an expression.

    Raises:
        CelSyntaxError: it is none.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        made = self._expression()
        if self._now.kind != "end":
            raise self._unexpected()
        return made

    @property
    def _now(self) -> Token:
        return self._tokens[self._next]

    def _unexpected(self) -> CelSyntaxError:
        now = self._now
        shown = now.value if now.kind != "literal" else repr(now.value)
        return CelSyntaxError(self._text, now.at, f"Syntax error: unexpected '{shown}'")

    def _is(self, sign: str) -> bool:
        now = self._now
        return now.kind == "sign" and now.value == sign

    def _take(self, sign: str) -> bool:
        if self._is(sign):
            self._next += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._unexpected()

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > _DEPTH:
            raise CelSyntaxError(self._text, self._now.at, "expression recursion limit exceeded")
        made = self._binary(0)
        if self._is("?"):
            at = self._now.at
            self._next += 1
            yes = self._binary(0)
            self._need(":")
            made = Call("_?_:_", None, (made, yes, self._expression()), at)
        self._depth -= 1
        return made

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._now.kind in {"sign", "word"} and self._now.value in _LEVELS[level]:
            token = self._now
            self._next += 1
            right = self._binary(level + 1)
            name = "@in" if token.value == "in" else f"_{token.value}_"
            left = Call(name, None, (left, right), token.at)
        return left

    def _unary(self) -> Node:
        found: list[Token] = []
        while self._is("!") or self._is("-"):
            found.append(self._now)
            self._next += 1
        made = self._member()
        for token in reversed(found):
            number = isinstance(made, Literal) and isinstance(made.value, int | float)
            if token.value == "-" and isinstance(made, Literal) and number:
                made = Literal(-made.value, token.at)
            else:
                made = Call("!_" if token.value == "!" else "-_", None, (made,), token.at)
        return made

    def _member(self) -> Node:
        made = self._primary()
        while True:
            at = self._now.at
            if self._take("."):
                made = self._field(made, at)
            elif self._take("["):
                optional = self._take("?")
                key = self._expression()
                self._need("]")
                made = Index(made, key, at, optional)
            elif self._is("{") and (name := _qualified(made)) and name[:1].isupper():
                self._next += 1
                made = Struct(name, self._struct_fields(), at)
            else:
                return made

    def _field(self, target: Node, at: int) -> Node:
        optional = self._take("?")
        token = self._now
        if token.kind not in {"word", "quoted"}:
            raise self._unexpected()
        self._next += 1
        if token.kind == "word" and not optional and self._take("("):
            return self._call(str(token.value), target, at + 1)
        return Select(target, str(token.value), at, optional=optional)

    def _primary(self) -> Node:
        token = self._now
        self._next += 1
        if token.kind == "literal":
            return Literal(token.value, token.at)
        if token.kind == "word":
            return self._word(token)
        opened: dict[str, Callable[[int], Node]] = {
            "(": self._inside,
            "[": self._list,
            "{": self._map,
            ".": self._rooted,
        }
        if token.kind == "sign" and token.value in opened:
            return opened[token.value](token.at)
        self._next -= 1
        raise self._unexpected()

    def _word(self, token: Token) -> Node:
        if token.value in _WORDS:
            return Literal(_WORDS[token.value], token.at)
        if token.value in _RESERVED:
            why = f"Syntax error: reserved identifier: {token.value}"
            raise CelSyntaxError(self._text, token.at, why)
        if self._take("("):
            return self._call(str(token.value), None, token.at)
        return Ident(str(token.value), token.at)

    def _inside(self, _at: int) -> Node:
        made = self._expression()
        self._need(")")
        return made

    def _rooted(self, _at: int) -> Node:
        token = self._now
        if token.kind != "word":
            raise self._unexpected()
        self._next += 1
        return self._word(token)

    def _list(self, at: int) -> Node:
        items: list[Node] = []
        optional: set[int] = set()
        while not self._take("]"):
            if self._take("?"):
                optional.add(len(items))
            items.append(self._expression())
            if not self._take(",") and not self._is("]"):
                raise self._unexpected()
        return ListOf(tuple(items), at, frozenset(optional))

    def _map(self, at: int) -> Node:
        entries: list[tuple[Node, Node]] = []
        optional: set[int] = set()
        while not self._take("}"):
            if self._take("?"):
                optional.add(len(entries))
            key = self._expression()
            self._need(":")
            entries.append((key, self._expression()))
            if not self._take(",") and not self._is("}"):
                raise self._unexpected()
        return MapOf(tuple(entries), at, frozenset(optional))

    def _struct_fields(self) -> tuple[tuple[str, Node], ...]:
        found: list[tuple[str, Node]] = []
        while not self._take("}"):
            token = self._now
            if token.kind not in {"word", "quoted"}:
                raise self._unexpected()
            self._next += 1
            self._need(":")
            found.append((str(token.value), self._expression()))
            if not self._take(",") and not self._is("}"):
                raise self._unexpected()
        return tuple(found)

    def _call(self, name: str, target: Node | None, at: int) -> Node:
        args: list[Node] = []
        while not self._take(")"):
            args.append(self._expression())
            if not self._take(",") and not self._is(")"):
                raise self._unexpected()
        if target is None:
            return self._has(args, at) if name == "has" else Call(name, None, tuple(args), at)
        return self._macro(name, target, args, at) or Call(name, target, tuple(args), at)

    def _has(self, args: list[Node], at: int) -> Node:
        if len(args) != 1 or not isinstance(args[0], Select):
            raise CelSyntaxError(self._text, at, "invalid argument to has() macro")
        field = args[0]
        return Select(field.target, field.name, field.at, test=True)

    def _macro(self, name: str, target: Node, args: list[Node], at: int) -> Node | None:
        if name == "map" and len(args) in {2, 3}:
            keep = args[1] if len(args) == 3 else None
            return Loop("map", target, self._names(args[:1]), args[-1], at, keep)
        if len(args) == 2 and name in _ONE_NAME:
            return Loop(_ONE_NAME[name], target, self._names(args[:1]), args[1], at)
        if len(args) == 2 and name in _OPT:
            return Loop(name, target, self._names(args[:1]), args[1], at)
        if len(args) in {3, 4} and name in _TWO_NAMES:
            keep = args[2] if len(args) == 4 else None
            return Loop(_TWO_NAMES[name], target, self._names(args[:2]), args[-1], at, keep)
        return None

    def _names(self, args: list[Node]) -> tuple[str, ...]:
        for arg in args:
            if not isinstance(arg, Ident):
                raise CelSyntaxError(self._text, arg.at, "argument must be a simple name")
        return tuple(arg.name for arg in args if isinstance(arg, Ident))


def _qualified(node: Node) -> str:
    """`Object.spec` of a chain of names, or nothing."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test and not node.optional:
        start = _qualified(node.target)
        return f"{start}.{node.name}" if start else ""
    return ""
