"""Protobuf bodies: what kubectl really sends, and every field there and back."""

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.api import codec, proto
from appliance.api.errors import BadRequest
from appliance.api.fieldtypes import Field, Shape, fields_of, shape_of_struct
from appliance.api.kinds.coordination.lease import Lease
from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.event import Event
from appliance.api.kinds.core.namespace import Namespace
from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.security import PodSecurityContext
from appliance.api.kinds.core.secret import Secret
from appliance.api.kinds.core.service import Service
from appliance.api.kinds.discovery.endpointslice import EndpointSlice
from appliance.api.schema import Message

# Bodies of `kubectl create …` 1.37.1, recorded.
RECORDED = [
    (
        Namespace,
        "azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhwKFAoEZGVtbxIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==",
        {"metadata": {"name": "demo"}, "spec": {}, "status": {}},
    ),
    (
        ConfigMap,
        "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEioKFgoCY20SABoEZGVtbyIAKgAyADgAQgASBgoBYRIBMRIICgFi"
        "EgN0d28aACIA",
        {"metadata": {"name": "cm", "namespace": "demo"}, "data": {"a": "1", "b": "two"}},
    ),
    (
        Secret,
        "azhzAAoMCgJ2MRIGU2VjcmV0Eh0KEQoBcxIAGgAiACoAMgA4AEIAEgYKAWsSAXYaABoAIgA=",
        {"metadata": {"name": "s"}, "data": {"k": "dg=="}},
    ),
    (
        Service,
        "azhzAAoNCgJ2MRIHU2VydmljZRJpCh8KA3N2YxIAGgAiACoAMgA4AEIAWgoKA2FwcBIDc3ZjEkIKGwoH"
        "ODAtODA4MBIDVENQGFAiBwgAEJA/GgAoABIKCgNhcHASA3N2YxoAIglDbHVzdGVySVA6AEIAUgBaAGAA"
        "aAAaAgoAGgAiAA==",
        {
            "metadata": {"name": "svc", "labels": {"app": "svc"}},
            "spec": {
                "ports": [{"name": "80-8080", "protocol": "TCP", "port": 80, "targetPort": 8080}],
                "selector": {"app": "svc"},
                "type": "ClusterIP",
            },
            "status": {"loadBalancer": {}},
        },
    ),
    (
        Service,
        "azhzAAoNCgJ2MRIHU2VydmljZRJmCh0KAm5wEgAaACIAKgAyADgAQgBaCQoDYXBwEgJucBJBChwKBjgw"
        "LXdlYhIDVENQGFAiCQgBEAAaA3dlYigAEgkKA2FwcBICbnAaACIITm9kZVBvcnQ6AEIAUgBaAGAAaAAa"
        "AgoAGgAiAA==",
        {
            "metadata": {"name": "np", "labels": {"app": "np"}},
            "spec": {
                "ports": [{"name": "80-web", "protocol": "TCP", "port": 80, "targetPort": "web"}],
                "selector": {"app": "np"},
                "type": "NodePort",
            },
            "status": {"loadBalancer": {}},
        },
    ),
]


@pytest.mark.parametrize(("struct", "recorded", "plain"), RECORDED)
def test_bodies_of_kubectl(struct: type[Message], recorded: str, plain: dict[str, Any]) -> None:
    body = base64.b64decode(recorded)
    envelope = proto.decode_envelope(body)
    assert envelope.kind == struct.__name__
    obj = proto.decode(struct, envelope.raw)
    assert codec.to_plain(obj) == plain
    # Go's generated code and this write the same bytes.
    again = proto.encode_envelope(envelope.api_version, envelope.kind, proto.encode(obj))
    assert again == body


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=3),
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "quantity": st.sampled_from(["0", "1", "500m", "1Gi", "-3k"]),
    "intOrString": st.integers(-(2**31), 2**31 - 1) | st.text(max_size=3),
    "time": st.sampled_from(["2026-11-24T08:00:00Z", "1969-12-31T23:59:59Z"]),
    "microTime": st.sampled_from(["2026-11-24T08:00:00.123456Z", "2026-11-24T08:00:00.000000Z"]),
    "bytes": st.binary(max_size=4).map(lambda raw: base64.b64encode(raw).decode()),
    "rawJson": st.dictionaries(st.text(max_size=2), st.integers(), min_size=1, max_size=2),
}


def values(shape: Shape, depth: int) -> st.SearchStrategy[Any]:
    if shape.struct is not None:
        return objects(shape.struct, depth - 1)
    if shape.element is not None:
        inner = values(shape.element, depth)
        if shape.form == "list":
            return st.lists(inner, min_size=1, max_size=2)  # an empty list is no list on the wire
        return st.dictionaries(st.text(max_size=2), inner, max_size=2)
    return SCALARS[shape.scalar]


def on_the_wire(field: Field) -> bool:
    return field.name not in {"kind", "apiVersion"} or field.facts.number > 0


def objects(struct: type[Message], depth: int = 6) -> st.SearchStrategy[dict[str, Any]]:
    fields = [f for f in fields_of(struct).values() if on_the_wire(f)]
    if depth <= 0:
        fields = [f for f in fields if f.shape.struct is None and f.shape.element is None]

    def pick(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        table = fields_of(struct)
        return st.fixed_dictionaries({n: values(table[n].shape, depth) for n in names})

    if not fields:
        return st.just({})
    names = st.lists(st.sampled_from([f.name for f in fields]), unique=True, max_size=4)
    return names.flatmap(pick)


@pytest.mark.parametrize("struct", [Pod, Service, Node, Event, Lease, EndpointSlice, Namespace])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_every_field_comes_back(struct: type[Message], data: st.DataObject) -> None:
    shape = shape_of_struct(struct)
    assert shape.struct is struct
    obj, _ = codec.decode(struct, data.draw(objects(struct)))
    assert proto.decode(struct, proto.encode(obj)) == obj


def test_packed_numbers_are_read_too() -> None:
    raw = b"\x22\x03\x01\xac\x02"  # supplementalGroups = 4, packed [1, 300]
    assert proto.to_plain(PodSecurityContext, raw) == {"supplementalGroups": [1, 300]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"k8s\x00\xff",
        b"k8s\x00\x0a\xff\xff\xff\xff\x0f",
        b"k8s\x00\x0b",
        b"k8s\x00\x08\x01",
        b"k8s\x00\x0a\x03\x0a\x01\xff",
    ],
)
def test_an_envelope_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        proto.decode_envelope(body)


def test_a_time_beyond_all_years_is_refused() -> None:
    far = b"\x0a\x0c\x42\x0a\x08" + b"\xff" * 8 + b"\x7f"  # metadata.creationTimestamp
    with pytest.raises(BadRequest, match="no such time"):
        proto.decode(Pod, far)


@given(st.binary(max_size=40))
def test_garbage_is_refused_and_never_worse(raw: bytes) -> None:
    with contextlib.suppress(BadRequest):
        proto.decode(Pod, raw)
