"""Rules of a schema in the expression language."""

from typing import Any

import pytest

from appliance.api.custom.rules import check_rules, faults_of, ruled

Json = dict[str, Any]


def faults(schema: Json, value: Json, old: Json | None = None) -> list[tuple[str, str]]:
    found = faults_of(schema, value, old, places=ruled(schema))
    return [(cause.field, cause.message) for cause in found]


def with_rules(schema: Json, *rules: Json) -> Json:
    return {**schema, "x-kubernetes-validations": list(rules)}


WHOLE = {"type": "integer"}


def spec(inside: Json) -> Json:
    return {"type": "object", "properties": {"spec": inside}}


def test_a_rule_that_does_not_hold_is_told_with_place_and_value() -> None:
    schema = spec(with_rules(WHOLE, {"rule": "self > 3", "message": "must be over 3"}))
    assert faults(schema, {"spec": 2}) == [("spec", "Invalid value: 2: must be over 3")]
    assert faults(schema, {"spec": 4}) == []
    assert faults(schema, {}) == [], "what is not there is not asked"


def test_of_an_object_only_the_type_is_shown() -> None:
    inside = {"type": "object", "properties": {"min": WHOLE, "max": WHOLE}}
    schema = spec(with_rules(inside, {"rule": "self.min <= self.max"}))
    told = 'Invalid value: "object": failed rule: self.min <= self.max'
    assert faults(schema, {"spec": {"min": 2, "max": 1}}) == [("spec", told)]


def test_a_message_may_be_worked_out() -> None:
    rule = {"rule": "self > 3", "messageExpression": "'not %d'.format([self])", "message": "no"}
    schema = spec(with_rules(WHOLE, rule))
    assert faults(schema, {"spec": 2}) == [("spec", "Invalid value: 2: not 2")]


def test_a_rule_may_name_reason_and_field() -> None:
    rule = {"rule": "false", "reason": "FieldValueForbidden", "fieldPath": ".a", "message": "no"}
    schema = spec(with_rules({"type": "object"}, rule))
    assert faults(schema, {"spec": {}}) == [("spec.a", "Forbidden: no")]


def test_a_rule_about_the_change_is_asked_at_changes_only() -> None:
    schema = spec(with_rules(WHOLE, {"rule": "self >= oldSelf", "message": "grows"}))
    assert faults(schema, {"spec": 1}) == []
    assert faults(schema, {"spec": 1}, {"spec": 2}) == [("spec", "Invalid value: 1: grows")]
    assert faults(schema, {"spec": 1}, {}) == []


def test_what_did_not_change_is_not_asked_again() -> None:
    schema = spec(with_rules(WHOLE, {"rule": "self > 3"}))
    assert faults(schema, {"spec": 2}, {"spec": 2}) == []
    assert faults(schema, {"spec": 1}, {"spec": 2}) != []


def test_elements_with_keys_are_compared_with_themselves() -> None:
    item = {"type": "object", "properties": {"k": {"type": "string"}, "v": WHOLE}}
    items = with_rules(item, {"rule": "self.v >= oldSelf.v", "message": "grows"})
    schema = spec({
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
    })  # fmt: skip
    old = {"spec": [{"k": "a", "v": 5}, {"k": "b", "v": 1}]}
    new = {"spec": [{"k": "b", "v": 2}, {"k": "a", "v": 4}]}
    assert [field for field, _ in faults(schema, new, old)] == ["spec[1]"]


def test_fields_are_seen_by_type_and_by_escaped_name() -> None:
    inside = {
        "type": "object",
        "properties": {
            "in": {"type": "number"},
            "a-b": {"type": "string", "format": "date-time"},
            "span": {"type": "string", "format": "duration"},
        },
    }
    text = (
        "self.__in__ + 0.5 == 1.5 && self.a__dash__b.getFullYear() == 2024"
        " && self.span < duration('2h')"
    )
    value = {"in": 1, "a-b": "2024-01-01T00:00:00Z", "span": "1h"}
    assert faults(spec(with_rules(inside, {"rule": text})), {"spec": value}) == []


def test_a_rule_that_fails_is_a_fault() -> None:
    schema = spec(with_rules(WHOLE, {"rule": "1 / (self - self) == 1"}))
    [(_, told)] = faults(schema, {"spec": 2})
    assert told.endswith("rule evaluation error: division by zero")


def test_rules_have_an_end() -> None:
    text = "self.all(a, self.all(b, self.all(c, true)))"
    schema = spec(with_rules({"type": "array", "items": WHOLE}, {"rule": text}))
    [(_, told)] = faults(schema, {"spec": list(range(100))})
    assert "running out of cost budget" in told


@pytest.mark.parametrize(
    ("rule", "field", "told"),
    [
        ({"rule": ""}, "rule", "Required value"),
        ({"rule": "self.b"}, "rule", "undefined field 'b'"),
        ({"rule": "self.a +"}, "rule", "Syntax error"),
        ({"rule": "true", "messageExpression": "x"}, "messageExpression", "undeclared reference"),
        ({"rule": "true", "reason": "Because"}, "reason", "Unsupported value"),
    ],
)
def test_rules_of_a_definition_are_read_first(rule: Json, field: str, told: str) -> None:
    inside = {"type": "object", "properties": {"a": WHOLE}}
    schema = spec(with_rules(inside, rule))
    [cause] = check_rules(schema, "x")
    assert cause.field == f"x.properties[spec].x-kubernetes-validations[0].{field}"
    assert told in cause.message


def test_the_root_knows_its_names() -> None:
    schema = with_rules(spec(WHOLE), {"rule": "self.metadata.name != self.kind"})
    assert list(check_rules(schema, "x")) == []
