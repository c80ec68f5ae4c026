"""What a schema refuses, drops and puts in; the words are those of recorded answers."""

from typing import Any

import pytest

from appliance.api.custom import formats, paths, structural, validation

SPEC: dict[str, Any] = {
    "mode": {"type": "string", "enum": ["a", "b"]},
    "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
    "n": {"type": "integer", "maximum": 10, "multipleOf": 2},
    "list": {
        "type": "array",
        "maxItems": 2,
        "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
    },
    "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    "any": {"x-kubernetes-int-or-string": True},
    "nul": {"type": "string", "nullable": True},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    "one": {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"},
    "when": {"type": "string", "format": "date-time"},
}
SCHEMA = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": SPEC}},
}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"mode": "c"}, "spec.mode", 'Unsupported value: "c": supported values: "a", "b"'),
        (
            {"name": "A"},
            "spec.name",
            'Invalid value: "A": spec.name in body should be at least 2 chars long',
        ),
        ({"name": "toolongname"}, "spec.name", "Too long: may not be more than 5 bytes"),
        (
            {"name": "A1"},
            "spec.name",
            "Invalid value: \"A1\": spec.name in body should match '^[a-z]+$'",
        ),
        ({"n": 3}, "spec.n", "Invalid value: 3: spec.n in body should be a multiple of 2"),
        (
            {"n": 12},
            "spec.n",
            "Invalid value: 12: spec.n in body should be less than or equal to 10",
        ),
        ({"list": [{}]}, "spec.list[0].k", "Required value"),
        ({"list": [{"k": "a"}, {"k": "a"}]}, "spec.list[1]", 'Duplicate value: {"k":"a"}'),
        (
            {"list": [{"k": c} for c in "abc"]},
            "spec.list",
            "Too many: 3: must have at most 2 items",
        ),
        ({"set": ["a", "a"]}, "spec.set[1]", 'Duplicate value: "a"'),
        (
            {"any": True},
            "spec.any",
            'Invalid value: "boolean": spec.any in body must be of type integer,string: "boolean"',
        ),
        (
            {"map": {"a": "b"}},
            "spec.map.a",
            'Invalid value: "string": spec.map.a in body must be of type integer: "string"',
        ),
        (
            {"one": {}},
            "spec.one",
            'Invalid value: "": "spec.one" must validate one and only one schema (oneOf).'
            " Found none valid",
        ),
        (
            {"when": "soon"},
            "spec.when",
            'Invalid value: "soon": spec.when in body must be of type date-time: "soon"',
        ),
    ],
)
def test_a_fault(spec: dict[str, Any], field: str, message: str) -> None:
    found, _ = validation.validate(SCHEMA, {"spec": spec})
    assert [(c.field, c.message) for c in found] == [(field, message)]


@pytest.mark.parametrize(
    "spec",
    [
        {"any": "50%"},
        {"any": 5},
        {"nul": None},
        {"n": 10},
        {"n": 4.0},
        {"one": {"a": 1}},
        {"when": "2026-01-01T00:00:00Z"},
        {"unknown": 1},
    ],
)
def test_what_fits(spec: dict[str, Any]) -> None:
    assert validation.validate(SCHEMA, {"spec": spec}) == ([], True)


def test_rules_that_were_not_looked_at_are_told_of_with_the_faults() -> None:
    ruled = {**SCHEMA, "x-kubernetes-validations": [{"rule": "true"}]}
    fields = [c.field for c in validation.validate(ruled, {"spec": {"mode": "c"}})[0]]
    assert fields == ["spec.mode", "<nil>"]


def test_what_is_not_declared_is_dropped_and_what_is_missing_put_in() -> None:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "color": {"type": "string", "default": "red"},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"size": {"type": "integer", "default": 1}},
                        },
                    },
                },
            }
        },
    }
    value = {
        "metadata": {"name": "kept"},
        "spec": {"color": None, "x": 1, "free": {"y": 2}, "items": [{"z": 3}]},
        "more": True,
    }
    assert structural.prune(schema, value) == ["spec.x", "spec.items[0].z", "more"]
    structural.set_defaults(schema, value)
    assert value == {
        "metadata": {"name": "kept"},
        "spec": {"color": "red", "free": {"y": 2}, "items": [{"size": 1}]},
    }


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.a", 1),
        ("{.spec.a}", 1),
        (".spec.list[1].x", "two"),
        (".spec['odd.name']", "odd"),
        ('.status.conditions[?(@.type=="Ready")].status', "True"),
        (".spec.missing.deep", None),
        (".spec.list[9]", None),
    ],
)
def test_a_path(path: str, found: Any) -> None:
    data = {
        "spec": {"a": 1, "list": [{"x": "one"}, {"x": "two"}], "odd.name": "odd"},
        "status": {
            "conditions": [
                {"type": "Other", "status": "False"},
                {"type": "Ready", "status": "True"},
            ]
        },
    }
    assert paths.first(path, data) == found


def test_a_path_can_be_set() -> None:
    data: dict[str, Any] = {}
    paths.put(".spec.replicas", data, 3)
    assert data == {"spec": {"replicas": 3}}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("ipv6", "::1", "10.0.0.1"),
        ("date", "2026-01-31", "2026-02-31"),
        ("uuid", "11111111-1111-1111-1111-111111111111", "1"),
        ("byte", "YQ==", "?"),
        ("email", "a@b", "ab"),
        ("duration", "1h30m", "soon"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("hostname", "a.example", "a_b"),
    ],
)
def test_a_format(name: str, good: str, bad: str) -> None:
    assert formats.fits(name, good)
    assert not formats.fits(name, bad)
    assert formats.fits("whatever", bad)
