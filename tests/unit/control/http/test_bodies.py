"""Bodies, and what is said about broken ones: recorded from kube-apiserver 1.36."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api import proto
from appliance.api.errors import ApiError, BadRequest, UnsupportedMediaType
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.meta import ObjectMeta
from appliance.client.base import PatchType
from appliance.control.http.bodies import (
    decode_delete_options,
    decode_object,
    decode_patch,
    expected_of,
    patch_type,
)
from appliance.control.registry.base import Call, User
from appliance.kit import jsonio

NO_TYPE = (
    "the object provided is unrecognized (must be of type ConfigMap): "
    "couldn't get version/kind; json parse error: "
)


def read(raw: bytes, media: str = "application/json", validation: str = "Warn") -> ConfigMap:
    call = Call(user=User(name="me"), field_validation=validation)
    obj: ConfigMap = decode_object(expected_of(CONFIG_MAP), raw, media, call)
    return obj


def test_a_body_may_leave_kind_and_version_to_the_url() -> None:
    assert read(b'{"metadata":{"name":"a"},"data":{"k":"v"}}').data == {"k": "v"}


def test_yaml_is_read_as_json_would_be_and_dates_stay_text() -> None:
    obj = read(
        b"metadata: {name: a}\ndata:\n  day: 2024-01-01\n", "application/yaml; charset=utf-8"
    )
    assert obj.data == {"day": "2024-01-01"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", NO_TYPE + "unexpected end of JSON input (<empty>)"),
        (b"{", NO_TYPE + "unexpected end of JSON input ({)"),
        (
            b"{'a':1}",
            NO_TYPE
            + "invalid character '\\'' looking for beginning of object key string ({'a':1})",
        ),
        (b"\x00", NO_TYPE + "invalid character '\\x00' looking for beginning of value (00)"),
        (
            b'{"kind":1}',
            NO_TYPE + "json: cannot unmarshal number into Go struct field .kind of type string "
            '({"kind":1})',
        ),
        (
            b'{"kind":"ConfigMap","metadata":{"name":"a"}}x',
            NO_TYPE + "invalid character 'x' after top-level value "
            '({"kind":"ConfigMap","metadata" ...)',
        ),
        (
            b'{"apiVersion":"v1","kind":"List","items":[]}',
            'List in version "v1" cannot be handled as a ConfigMap: '
            "converting (v1.List) to (core.ConfigMap): unknown conversion",
        ),
        (
            b'{"apiVersion":"v1","kind":"Secret","data":{"k":"v"}}',
            'Secret in version "v1" cannot be handled as a ConfigMap: '
            "illegal base64 data at input byte 0",
        ),
        (
            b'{"apiVersion":"a/b/c","kind":"X"}',
            "the object provided is unrecognized (must be of type ConfigMap): "
            'unexpected GroupVersion string: a/b/c ({"apiVersion":"a/b/c","kind":" ...)',
        ),
        (
            b'{"metadata":{"name":5}}',
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal '
            "number into Go struct field ObjectMeta.metadata.name of type string",
        ),
    ],
)
def test_a_broken_body_is_refused_in_the_words_of_go(raw: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(raw)
    assert caught.value.message.startswith(message)


def test_protobuf_says_the_same_as_json() -> None:
    obj = ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "v"})
    body = proto.encode_envelope("v1", "ConfigMap", proto.encode(obj))
    assert read(body, proto.MEDIA_TYPE).data == {"k": "v"}
    other = proto.encode_envelope("v1", "Secret", b"")
    with pytest.raises(BadRequest, match="unknown conversion"):
        read(other, proto.MEDIA_TYPE)


def test_an_array_is_no_object() -> None:
    with pytest.raises(BadRequest) as caught:
        read(b"[]")
    assert caught.value.message == (
        NO_TYPE + "json: cannot unmarshal array into Go value of type struct { APIVersion string "
        '"json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)'
    )


def test_unknown_fields_are_warned_of_or_refused_or_ignored_as_wished() -> None:
    raw = b'{"metadata":{"name":"a","foo":1},"zzz":1}'
    call = Call(user=User(name="me"))
    decode_object(expected_of(CONFIG_MAP), raw, "", call)
    assert call.warnings == ['unknown field "metadata.foo"', 'unknown field "zzz"']
    assert read(raw, validation="Ignore").metadata.name == "a"
    with pytest.raises(BadRequest) as caught:
        read(raw, validation="Strict")
    assert caught.value.message == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'unknown field "metadata.foo", unknown field "zzz"'
    )


def test_other_media_types_are_refused() -> None:
    with pytest.raises(UnsupportedMediaType, match="the body of the request was in an unknown"):
        read(b"{}", "text/plain")
    with pytest.raises(UnsupportedMediaType, match="415: Unsupported Media Type"):
        patch_type("application/json")
    assert patch_type("application/merge-patch+json") is PatchType.MERGE


def test_a_body_that_doubles_itself_is_refused_before_it_is_written_out() -> None:
    lines = ["a0: &a0 x"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    for text in ("\n".join(lines), "a: &a [*a]"):
        with pytest.raises(BadRequest, match="excessive aliasing"):
            read(text.encode(), "application/yaml")
    few = b"metadata: {name: &n a}\ndata: {k: *n}"
    assert read(few, "application/yaml").data == {"k": "a"}


def test_an_apply_is_an_object() -> None:
    for body in (b"- a", b"x", b"? [a]\n: b"):
        with pytest.raises(BadRequest, match="error decoding YAML"):
            decode_patch(PatchType.APPLY, body)


def test_an_apply_may_be_yaml() -> None:
    assert decode_patch(PatchType.APPLY, b"data:\n  y: 'yaml'\n") == {"data": {"y": "yaml"}}


@pytest.mark.parametrize(
    ("how", "raw", "message"),
    [
        (
            PatchType.JSON,
            b'{"op":"add"}',
            "error decoding patch: json: cannot unmarshal object into Go value of type "
            "[]handlers.jsonPatchOp",
        ),
        (PatchType.JSON, b"", "error decoding patch: unexpected end of JSON input"),
        (
            PatchType.MERGE,
            b"{x",
            "error decoding patch: "
            "invalid character 'x' looking for beginning of object key string",
        ),
    ],
)
def test_broken_patches(how: PatchType, raw: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        decode_patch(how, raw)
    assert caught.value.message == message


BODIES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["kind", "apiVersion", "metadata", "name", "data", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(jsonio.dumps),
)
PROTOBUF = proto.encode_envelope(
    "v1",
    "ConfigMap",
    proto.encode(ConfigMap(metadata=ObjectMeta(name="a", labels={"k": "v"}), data={"k": "v"})),
)


@given(body=BODIES, media=st.sampled_from(["application/json", "application/yaml"]))
def test_no_body_does_more_harm_than_being_refused(body: bytes, media: str) -> None:
    for reads in (
        lambda: read(body, media),
        lambda: decode_delete_options(body, media),
        lambda: [decode_patch(how, body) for how in PatchType],
    ):
        with contextlib.suppress(ApiError):
            reads()


@given(place=st.integers(0, len(PROTOBUF) - 1), value=st.integers(0, 255), cut=st.booleans())
def test_no_damaged_protobuf_does_either(place: int, value: int, cut: bool) -> None:
    rest = b"" if cut else PROTOBUF[place + 1 :]
    body = PROTOBUF[:place] + bytes([value]) + rest
    with contextlib.suppress(ApiError):
        read(body, proto.MEDIA_TYPE)


def test_delete_options() -> None:
    assert decode_delete_options(b"", "") is None
    read_options = decode_delete_options(b'{"gracePeriodSeconds":3}', "application/json")
    assert read_options is not None
    assert read_options.gracePeriodSeconds == 3
    packed = proto.encode_envelope("v1", "DeleteOptions", proto.encode(read_options))
    assert decode_delete_options(packed, proto.MEDIA_TYPE) == read_options
    with pytest.raises(BadRequest, match='no kind "Foo" is registered for version "v1"'):
        decode_delete_options(b'{"kind":"Foo","apiVersion":"v1"}', "application/json")
