"""Rules of a schema in the expression language (`x-kubernetes-validations`).

`faults_of` works them out for an object, against its state before where there is one: a rule that
names oldSelf is about the change; one about a part that did not change is not asked again.
`check_rules` reads the rules of a definition. Bounded by `_STEPS` for all rules of a write.
Pure. Source: apiextensions-apiserver `pkg/apiserver/schema/cel`.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from appliance.api import faults
from appliance.api.cel.program import Program, compile_expression
from appliance.api.cel.syntax import CelSyntaxError
from appliance.api.cel.values import CelError, OutOfBudget
from appliance.api.custom.celview import escaped, view
from appliance.api.custom.structural import LIST_KEYS, LIST_TYPE, OWN, RULES, has_rules
from appliance.api.errors import Cause

Json = dict[str, Any]
_STEPS = 300_000
_NAMES = frozenset({"self", "oldSelf"})
_REASONS = frozenset(
    {"FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"}
)
_ABSENT: Any = object()
_BUDGET = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


@lru_cache(maxsize=2048)
def _program(text: str) -> Program:
    return compile_expression(text, _NAMES)


def ruled(schema: Any) -> frozenset[int]:
    """Identities of the parts of a schema that have rules in them or below: where to look."""
    return frozenset(_ruled(schema))


def _ruled(schema: Any) -> Iterator[int]:
    if has_rules(schema):
        yield id(schema)
        for part in schema.values() if isinstance(schema, dict) else schema:
            yield from _ruled(part)


def faults_of(
    schema: Json, value: Json, old: Json | None, *, places: frozenset[int]
) -> list[Cause]:
    """Give every rule that does not hold; `places` are those of `ruled`."""
    before = _ABSENT if old is None else old
    found: list[Cause] = []
    try:
        found.extend(_Walk(places).walk(schema, value, before, ""))
    except OutOfBudget:
        found.append(Cause("FieldValueForbidden", f"Forbidden: {_BUDGET}", "<nil>"))
    return found


class _Walk:
    """Goes through an object along its schema, where there are rules."""

    def __init__(self, places: frozenset[int]) -> None:
        self._places = places

    def walk(self, schema: Json, value: Any, old: Any, path: str) -> Iterator[Cause]:
        """Faults of a part and of all below it."""
        if id(schema) not in self._places or value is None:
            return
        yield from _here(schema, value, old, path)
        if isinstance(value, dict):
            declared, others = schema.get("properties") or {}, schema.get("additionalProperties")
            for key, part in value.items():
                inside = declared.get(key, others if isinstance(others, dict) else None)
                if inside is not None:
                    before = old.get(key, _ABSENT) if isinstance(old, dict) else _ABSENT
                    yield from self.walk(inside, part, before, f"{path}.{key}" if path else key)
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            for index, item in enumerate(value):
                before = _same_item(schema, item, old)
                yield from self.walk(schema["items"], item, before, f"{path}[{index}]")


def _same_item(schema: Json, item: Any, old: Any) -> Any:
    """An element of a list as it was; only lists with keys tell which one that is."""
    keys = schema.get(LIST_KEYS) if schema.get(LIST_TYPE) == "map" else None
    if not keys or not isinstance(old, list) or not isinstance(item, dict):
        return _ABSENT
    wanted = [item.get(key) for key in keys]
    same = (o for o in old if isinstance(o, dict) and [o.get(key) for key in keys] == wanted)
    return next(same, _ABSENT)


def _here(schema: Json, value: Any, old: Any, path: str) -> Iterator[Cause]:
    rules = schema.get(RULES)
    if not rules:
        return
    variables = {"self": view(schema, value)}
    has_old = old is not _ABSENT and old is not None
    if has_old:
        variables["oldSelf"] = view(schema, old)
    unchanged = has_old and value == old
    for rule in rules:
        text = rule.get("rule", "")
        about_change = "oldSelf" in text
        if (about_change and not has_old) or (unchanged and not about_change):
            continue
        yield from _one(rule, variables, path, value)


def _one(rule: Json, variables: Json, path: str, value: Any) -> Iterator[Cause]:
    try:
        holds = _program(rule["rule"]).evaluate(variables, _STEPS)
    except OutOfBudget:
        raise
    except (CelError, CelSyntaxError) as error:
        why = f"{_message(rule, variables)}: rule evaluation error: {error}"
        yield _fault(rule, path, value, why)
        return
    if holds is not True:
        yield _fault(rule, path, value, _message(rule, variables))


def _message(rule: Json, variables: Json) -> str:
    if made := rule.get("messageExpression"):
        try:
            text = _program(made).evaluate(variables, _STEPS)
        except (CelError, CelSyntaxError):
            text = None  # upstream falls back to the plain message, too
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text
    return rule.get("message") or f"failed rule: {rule['rule'].strip()}"


def _fault(rule: Json, path: str, value: Any, why: str) -> Cause:
    at = path + str(rule.get("fieldPath") or "")
    at = at.removeprefix(".") or "<nil>"
    reason = rule.get("reason") or "FieldValueInvalid"
    shown = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else value
    made = {
        "FieldValueForbidden": faults.forbidden(at, why),
        "FieldValueRequired": faults.required(at, why),
        "FieldValueDuplicate": faults.duplicate(at, shown),
    }
    return made.get(reason) or faults.wrong(at, shown, why)


def check_rules(schema: Any, path: str, *, root: bool = True) -> Iterator[Cause]:
    """Give every fault of the rules of a schema."""
    if not isinstance(schema, dict):
        return
    for index, rule in enumerate(schema.get(RULES) or ()):
        yield from _check(schema, rule, f"{path}.{RULES}[{index}]", root=root)
    for key, inside in (schema.get("properties") or {}).items():
        yield from check_rules(inside, f"{path}.properties[{key}]", root=False)
    for word in ("items", "additionalProperties"):
        yield from check_rules(schema.get(word), f"{path}.{word}", root=False)


def _check(schema: Json, rule: Json, path: str, *, root: bool) -> Iterator[Cause]:
    text = str(rule.get("rule") or "")
    if not text.strip():
        yield faults.required(f"{path}.rule", "rule is not specified")
        return
    known = _escaped_schema(schema, root=root)
    for name in ("rule", "messageExpression"):
        if expression := rule.get(name):
            try:
                compile_expression(expression, _NAMES, {"self": known, "oldSelf": known})
            except CelSyntaxError as error:
                yield faults.wrong(f"{path}.{name}", expression, f"compilation failed: {error}")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield faults.unsupported(f"{path}.reason", reason, tuple(sorted(_REASONS)))


def _escaped_schema(schema: Json, *, root: bool) -> Json:
    """The schema by the names that expressions know its fields under."""
    made = {k: v for k, v in schema.items() if k not in {"properties", RULES}}
    if schema.get("properties"):
        inside = schema["properties"].items()
        made["properties"] = {escaped(k): _escaped_schema(v, root=False) for k, v in inside}
        if root or schema.get("x-kubernetes-embedded-resource"):
            own: Json = {name: {} for name in OWN}
            made["properties"] = own | made["properties"]
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            made[word] = _escaped_schema(schema[word], root=False)
    return made
