"""Bodies decode as kube-apiserver decodes them; the messages are recorded ones."""

from typing import Any

import pytest

from appliance.api import codec
from appliance.api.errors import BadRequest
from appliance.api.kinds.coordination.lease import Lease
from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.secret import Secret
from appliance.api.kinds.core.service import Service
from appliance.api.schema import Message


def pod(**spec: Any) -> dict[str, Any]:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": spec}


def test_unknown_fields_and_nulls_are_dropped_and_the_unknown_reported() -> None:
    body = pod(containers=[{"name": "c", "image": None, "bogus": 1}], zzz=1, volumes=None)
    obj, warnings = codec.decode(Pod, body)
    assert obj.spec.containers[0].name == "c"
    assert warnings == [
        'unknown field "spec.containers[0].bogus"',
        'unknown field "spec.zzz"',
    ]
    title = codec.heading("Pod", "v1", "Pod")
    assert codec.strict_error(title, warnings[1:]).message == (
        'Pod in version "v1" cannot be handled as a Pod: '
        'strict decoding error: unknown field "spec.zzz"'
    )


def test_doubled_keys_are_reported_and_the_last_one_counts() -> None:
    raw = b'{"kind":"ConfigMap","data":{"a":"1","a":"2"},"kind":"ConfigMap"}'
    obj, warnings = codec.decode_bytes(ConfigMap, raw)
    assert obj.data == {"a": "2"}
    assert sorted(warnings) == ['duplicate field "data.a"', 'duplicate field "kind"']


def test_names_are_case_sensitive() -> None:
    assert codec.decode(ConfigMap, {"Data": {"a": "b"}})[1] == ['unknown field "Data"']


@pytest.mark.parametrize(
    ("struct", "body", "message"),
    [
        (
            Pod,
            pod(hostNetwork="yes"),
            "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork"
            " of type bool",
        ),
        (
            Pod,
            pod(containers="x"),
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers"
            " of type []v1.Container",
        ),
        (
            Pod,
            pod(containers=[{"ports": [{"containerPort": 9999999999}]}]),
            "json: cannot unmarshal number 9999999999 into Go struct field"
            " ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            Pod,
            pod(terminationGracePeriodSeconds=1.5),
            "json: cannot unmarshal number 1.5 into Go struct field"
            " PodSpec.spec.terminationGracePeriodSeconds of type int64",
        ),
        (
            Pod,
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels"
            " of type string",
        ),
        (
            ConfigMap,
            {"metadata": []},
            "json: cannot unmarshal array into Go struct field ConfigMap.metadata"
            " of type v1.ObjectMeta",
        ),
        (
            Pod,
            pod(containers=[{"resources": {"limits": {"cpu": True}}}]),
            "quantities must match the regular expression"
            " '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (Secret, {"data": {"a": "!"}}, "illegal base64 data at input byte 0"),
        (
            Lease,
            {"spec": {"renewTime": "2024-01-01T00:00:00Z"}},
            'parsing time "2024-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00":'
            ' cannot parse "Z" as ".000000"',
        ),
        (
            Lease,
            {"spec": {"renewTime": "now"}},
            'parsing time "now" as "2006-01-02T15:04:05.000000Z07:00":'
            ' cannot parse "now" as "2006"',
        ),
        (
            Service,
            {"spec": {"ports": [{"targetPort": True}]}},
            "json: cannot unmarshal bool into Go value of type int32",
        ),
    ],
)
def test_wrong_types_are_refused_in_upstreams_words(
    struct: type[Message], body: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        codec.decode(struct, body, title="T: ")
    assert caught.value.message == "T: " + message


def test_values_come_out_in_their_canonical_text() -> None:
    body = pod(containers=[{"name": "c", "resources": {"requests": {"cpu": 0.5}}}])
    body["metadata"]["creationTimestamp"] = "2026-11-24T10:00:00.5+02:00"
    obj, _ = codec.decode(Pod, body)
    assert obj.spec.containers[0].resources.requests == {"cpu": "500m"}
    assert obj.metadata.creationTimestamp == "2026-11-24T08:00:00Z"


def test_text_that_is_not_json_is_refused() -> None:
    with pytest.raises(BadRequest, match="unexpected end of JSON input"):
        codec.decode_bytes(ConfigMap, b"{")
    with pytest.raises(BadRequest, match="exceeded max depth"):
        codec.decode_bytes(ConfigMap, b"[" * 100_000)
    for raw in (b"", b"{", b"{'a':1}", b'{"a":NaN}', b"{} x"):
        with pytest.raises(BadRequest):
            codec.decode_bytes(ConfigMap, raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (rb'{"data":{"a":"\ud83d\ude00"}}', "\U0001f600"),
        (rb'{"data":{"a":"\ud800x"}}', "\ufffdx"),
        (b'{"data":{"a":"\xe9"}}', "\ufffd"),
    ],
)
def test_what_is_no_unicode_is_replaced(raw: bytes, value: str) -> None:
    obj, _ = codec.decode_bytes(ConfigMap, raw)
    assert obj.data == {"a": value}
    assert codec.from_stored(ConfigMap, codec.encode(obj)) == obj


def test_null_is_an_empty_object_and_any_other_value_is_none() -> None:
    assert codec.decode_bytes(ConfigMap, b"null") == (ConfigMap(), [])
    with pytest.raises(BadRequest, match="cannot unmarshal array into Go value"):
        codec.decode_bytes(ConfigMap, b"[]")


def test_stored_bytes_come_back_as_the_same_object() -> None:
    obj, _ = codec.decode(Secret, {"metadata": {"name": "s"}, "data": {"k": "dg=="}})
    assert obj.data == {"k": b"v"}
    assert codec.from_stored(Secret, codec.encode(obj)) == obj
    assert codec.to_plain(obj)["data"] == {"k": "dg=="}
    assert codec.encode(ConfigMap(data={"b": "2", "a": "1"})).endswith(b'{"a":"1","b":"2"}}')
