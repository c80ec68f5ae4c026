"""Text → tokens. Bounded by `LIMIT` characters."""

import re
from dataclasses import dataclass
from typing import Any

from appliance.api.cel.syntax import CelSyntaxError
from appliance.api.cel.values import Uint

LIMIT = 100_000
_FORMS = re.compile(
    r"""(?P<space>(?:\s+|//[^\n]*)+)
    |(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    |(?P<hex>0x[0-9a-fA-F]+u?)
    |(?P<int>\d+[uU]?)
    |(?P<text>(?:[rRbB]{0,2})(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''
       |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<word>[_a-zA-Z][_a-zA-Z0-9]*)
    |(?P<quoted>`[a-zA-Z0-9_.\-/ ]+`)
    |(?P<sign>&&|\|\||<=|>=|==|!=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\?\"'`])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})"
                     r"|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))", re.DOTALL)  # fmt: skip
_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LARGEST = 2**64


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is literal, word, quoted, sign or end."""

    kind: str
    value: Any
    at: int


def tokens(text: str) -> list[Token]:
    """Cut an expression up.

    Raises:
        CelSyntaxError: something in it is no token.
    """
    if len(text) > LIMIT:
        raise CelSyntaxError(text[:80], 0, f"expression is longer than {LIMIT} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _FORMS.match(text, at)
        if match is None:
            raise CelSyntaxError(
                text, at, f"Syntax error: token recognition error at: '{text[at]}'"
            )
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(_token(text, kind, match.group(), at))
        at = match.end()
    found.append(Token("end", "<EOF>", len(text)))
    return found


def _token(text: str, kind: str, raw: str, at: int) -> Token:
    if kind in {"word", "sign"}:
        return Token(kind, raw, at)
    if kind == "quoted":
        return Token(kind, raw[1:-1], at)
    if kind == "float":
        return Token("literal", float(raw), at)
    if kind == "text":
        return Token("literal", _string(text, raw, at), at)
    digits = raw.rstrip("uU")
    number = int(digits, 16 if kind == "hex" else 10)
    if number >= _LARGEST:
        raise CelSyntaxError(text, at, "invalid int literal")
    return Token("literal", Uint(number) if digits != raw else number, at)


def _string(text: str, raw: str, at: int) -> str | bytes:
    start = re.match("[rRbB]*", raw)
    prefix = start.group().lower() if start else ""
    body = raw[len(prefix) :]
    width = 3 if body[:3] in {'"""', "'''"} else 1
    inner = body[width:-width]
    if "r" not in prefix:
        inner = _unescaped(text, inner, at)
    return inner.encode() if "b" in prefix else inner


def _unescaped(text: str, inner: str, at: int) -> str:
    made, here = [], 0
    while (slash := inner.find("\\", here)) >= 0:
        made.append(inner[here:slash])
        match = _ESCAPE.match(inner, slash)
        if match is None:
            raise CelSyntaxError(text, at, "Syntax error: unable to unescape string")
        short, x, u, long, octal = match.groups()
        if short:
            made.append(_SHORT.get(short, short))
        else:
            made.append(chr(int(x or u or long or octal, 8 if octal else 16)))
        here = match.end()
    return "".join(made) + inner[here:]
