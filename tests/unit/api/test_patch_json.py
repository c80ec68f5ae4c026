"""JSON patch and merge patch, as kube-apiserver applies them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.errors import BadRequest, Invalid, TooLarge
from appliance.api.patch_json import json_patch, merge_patch

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("document", "operations", "result"),
    [
        ({}, [{"op": "add", "path": "/a", "value": 1}], {"a": 1}),
        ({"l": [1]}, [{"op": "add", "path": "/l/-", "value": 2}], {"l": [1, 2]}),
        ({"l": [1]}, [{"op": "add", "path": "/l/0", "value": 2}], {"l": [2, 1]}),
        ({"l": [1, 2]}, [{"op": "remove", "path": "/l/0"}], {"l": [2]}),
        ({"a": 1}, [{"op": "replace", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": 1, "b": 1}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}),
        ({"a/b": {"~": 1}}, [{"op": "test", "path": "/a~1b/~0", "value": 1}], {"a/b": {"~": 1}}),
        ({}, [{"op": "test", "path": "/a", "value": None}], {}),
        ({}, [{"op": "add", "path": "data/x", "value": 1}], {"x": 1}),
        ({"a": 1}, [], {"a": 1}),
    ],
)
def test_operations(document: Any, operations: Any, result: Any) -> None:
    assert json_patch(document, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "bogus", "path": "/a"},
        {"op": "test", "path": "/a", "value": True},
        {"op": "test", "path": "/none", "value": 1},
        {"op": "remove", "path": "/none"},
        {"op": "add", "path": "/l/9", "value": 1},
        {"op": "add", "path": "/l/x", "value": 1},
        {"op": "add", "path": "/none/a", "value": 1},
        {"op": "add", "path": "/a/b", "value": 1},
        {"op": "remove"},
    ],
)
def test_what_does_not_fit_is_422_and_nothing_is_changed(operation: dict[str, Any]) -> None:
    document: dict[str, Any] = {"a": 1, "l": []}
    first = {"op": "add", "path": "/b", "value": 1}
    with pytest.raises(Invalid, match="the server rejected our request"):
        json_patch(document, [first, operation])
    assert document == {"a": 1, "l": []}


def test_malformed_patches() -> None:
    with pytest.raises(BadRequest) as caught:
        json_patch({}, {"op": "add"})
    assert caught.value.message == (
        "error decoding patch: json: cannot unmarshal object into Go value of type"
        " []handlers.jsonPatchOp"
    )
    with pytest.raises(BadRequest) as caught:
        merge_patch({}, [])
    assert caught.value.message == (
        "error decoding patch: json: cannot unmarshal array into Go value of type"
        " map[string]interface {}"
    )
    with pytest.raises(TooLarge):
        json_patch({}, [{"op": "test", "path": "/a"}] * 10_001)


def test_copies_cannot_grow_without_end() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 40
    with pytest.raises(Invalid):
        json_patch({"a": ["x" * 100]}, doubling)


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"a": 1}, {"a": None}, {}),
    ],
)
def test_merge_patch(document: Any, patch: Any, result: Any) -> None:
    assert merge_patch(document, patch) == result


@given(st.dictionaries(st.text(max_size=2), VALUES), st.dictionaries(st.text(max_size=2), VALUES))
def test_merging_twice_is_merging_once(document: Any, patch: Any) -> None:
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once
