"""Whatever a user sends is answered with an error of the API, never with a crash."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.api import codec, fields, labels, managedfields
from appliance.api.apply import server_side_apply
from appliance.api.errors import ApiError
from appliance.api.fieldtypes import fields_of
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.service import Service
from appliance.api.patch_json import json_patch, merge_patch
from appliance.api.patch_strategic import strategic_merge
from appliance.api.schema import Message

WORDS = [
    "metadata", "spec", "status", "labels", "name", "ports", "port", "containers", "env",
    "finalizers", "ownerReferences", "uid", "conditions", "type", "volumes", "resources", "limits",
    "cpu", "data", "x", "$patch", "$retainKeys", "$setElementOrder/ports", "managedFields",
    "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers", "targetPort", "",
]  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "1", "delete", "replace", "merge", "1Gi", "metadata", "\ud800"[:0]])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(WORDS), JSON, max_size=5)
NOW = "2026-01-01T00:00:00Z"

LIVE: dict[type[Message], dict[str, Any]] = {
    Pod: {
        "metadata": {"name": "a", "finalizers": ["x/y"], "labels": {"a": "b"}},
        "spec": {
            "containers": [{"name": "c", "ports": [{"containerPort": 1}], "resources": {}}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    },
    Service: {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}, {"port": 2}]}},
}
STRUCTS = pytest.mark.parametrize("struct", list(LIVE))


def shaped(struct: type[Message], depth: int = 3) -> st.SearchStrategy[Any]:
    """Bodies that fit the schema in most places, and break it in some."""
    if depth == 0:
        return JSON
    parts = {}
    for name, field in fields_of(struct).items():
        shape = field.shape
        inner = shape.element.struct if shape.element else shape.struct
        if inner is not None:
            below = shaped(inner, depth - 1)
            parts[name] = st.lists(below | JSON, max_size=2) if shape.form == "list" else below
    fixed = st.fixed_dictionaries({}, optional={n: parts[n] for n in list(parts)[:6]})
    return st.builds(lambda known, other: {**other, **known}, fixed, OBJECTS) | JSON


@STRUCTS
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_decoding(struct: type[Message], data: st.DataObject) -> None:
    body = data.draw(shaped(struct))
    with contextlib.suppress(ApiError):
        obj, _ = codec.decode(struct, body)
        again, warnings = codec.decode(struct, codec.to_plain(obj))
        assert (again, warnings) == (obj, [])


@STRUCTS
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_patches(struct: type[Message], data: st.DataObject) -> None:
    live = LIVE[struct]
    before = codec.encode(codec.decode(struct, live)[0])
    patch = data.draw(shaped(struct))
    with contextlib.suppress(ApiError):
        codec.decode(struct, strategic_merge(struct, live, patch))
    with contextlib.suppress(ApiError):
        codec.decode(struct, merge_patch(live, patch))
    assert codec.encode(codec.decode(struct, live)[0]) == before, "the live object was changed"


OPERATION = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]) | LEAVES,
        "path": st.sampled_from(["", "/", "/spec", "/spec/ports/0", "/spec/ports/-", "/a/b", "a"])
        | LEAVES,
        "from": st.sampled_from(["", "/spec", "/spec/ports", "/spec/ports/1"]) | LEAVES,
        "value": JSON,
    },
)


@settings(max_examples=8, deadline=None)
@given(st.lists(OPERATION | JSON, max_size=4))
def test_json_patches(operations: list[Any]) -> None:
    with contextlib.suppress(ApiError):
        codec.decode(Service, json_patch(LIVE[Service], operations))


@STRUCTS
@settings(max_examples=8, deadline=None)
@given(data=st.data(), force=st.booleans())
def test_applies(struct: type[Message], data: st.DataObject, *, force: bool) -> None:
    live = codec.to_plain(codec.decode(struct, LIVE[struct])[0])
    live["metadata"]["managedFields"] = managedfields.on_update(
        struct, None, live, manager="m", api_version="v1", now=NOW
    )
    body = data.draw(shaped(struct))
    stated = {**body, "apiVersion": "v1", "kind": struct.__name__} if type(body) is dict else body
    if not isinstance(stated, dict):
        return  # the registry refuses these before
    with contextlib.suppress(ApiError):
        after = server_side_apply(
            struct, live, stated, manager="a", force=force, api_version="v1", now=NOW
        )
        obj, _ = codec.decode(struct, after)
        managedfields.on_update(
            struct, live, codec.to_plain(obj), manager="u", api_version="v1", now=NOW
        )


@given(st.text(alphabet="ab=!(),<> in\\é", max_size=12))
def test_selectors(text: str) -> None:
    with contextlib.suppress(ApiError):
        parsed = labels.parse(text)
        assert labels.parse(str(parsed)) == parsed
    with contextlib.suppress(ApiError):
        chosen = fields.parse(text)
        assert fields.parse(str(chosen)) == chosen
