r"""Field selectors: `metadata.name=web,spec.nodeName!=a`.

Values may escape `\`, `,` and `=` with a backslash. Which fields a kind can be selected by is in
`Kind.selectable_fields`; metadata.name and metadata.namespace work for every kind. Errors are
worded as kube-apiserver words them (apimachinery `fields/selector.go`).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from typing_extensions import override

from appliance.api.errors import BadRequest
from appliance.api.kind import Kind

COMMON = ("metadata.name", "metadata.namespace")

_TERM = re.compile(r"(?:\\.|[^,\\])+|\\$", re.DOTALL)
_OPERATOR = re.compile(r"!=|==|=")


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison."""

    field: str
    equal: bool
    value: str

    @override
    def __str__(self) -> str:
        escaped = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{'=' if self.equal else '!='}{escaped}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Comparisons that must all hold."""

    terms: tuple[Term, ...] = ()

    def check(self, kind: Kind[Any]) -> None:
        """Refuse fields that this kind cannot be selected by.

        Raises:
            BadRequest: worded as upstream does for this kind.
        """
        for term in self.terms:
            if term.field not in COMMON and term.field not in kind.selectable_fields:
                raise BadRequest(_unknown(term.field, kind))

    def matches(self, kind: Kind[Any], obj: Any) -> bool:
        """Whether the object is selected; `check` first."""
        return all((_value(t.field, kind, obj) == t.value) == t.equal for t in self.terms)

    def exact(self, name: str) -> str | None:
        """Give the value that `field=value` demands, if one is: lets a list become a get."""
        return next((t.value for t in self.terms if t.field == name and t.equal), None)

    @property
    def is_everything(self) -> bool:
        """Whether there is nothing to compare."""
        return not self.terms

    @override
    def __str__(self) -> str:
        return ",".join(str(t) for t in self.terms)


@lru_cache(maxsize=1024)
def parse(text: str) -> FieldSelector:
    """Read a field selector.

    Raises:
        BadRequest: it makes no sense.
    """
    return FieldSelector(tuple(_term(part, text) for part in _TERM.findall(text) if part))


def _term(part: str, whole: str) -> Term:
    found = _OPERATOR.search(part)
    if found is None:
        raise BadRequest(f"invalid selector: '{whole}'; can't understand '{part}'")
    value = _unescape(part[found.end() :])
    return Term(part[: found.start()], found[0] != "!=", value)


def _unescape(text: str) -> str:
    out: list[str] = []
    chars = iter(text)
    for char in chars:
        if char == "\\":
            after = next(chars, "")
            if after not in {"\\", ",", "="} or not after:
                raise BadRequest(f"invalid field selector: invalid escape sequence: {char}{after}")
            out.append(after)
        elif char in {",", "="}:
            # Go prints the number of the character
            raise BadRequest(f"invalid field selector: unescaped character in value: {ord(char)}")
        else:
            out.append(char)
    return "".join(out)


def _value(name: str, kind: Kind[Any], obj: Any) -> str:
    read = kind.selectable_fields.get(name)
    if read is not None:
        return read(obj)
    return str(obj.metadata.name if name == "metadata.name" else obj.metadata.namespace)


def _unknown(name: str, kind: Kind[Any]) -> str:
    if kind.kind == "Job":
        return f'field label "{name}" not supported for Job'
    if kind.selectable_fields:
        return f"field label not supported: {name}"
    return f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'
