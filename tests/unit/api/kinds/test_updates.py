"""What may change once an object is stored."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from appliance.api.errors import Cause
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.validate_update import validate_ephemeral
from appliance.api.kinds.table import KINDS
from appliance.api.meta import ObjectMeta
from appliance.api.validate_meta import validate_meta_update


def test_a_pods_image_may_change() -> None:
    assert pod_faults(lambda p: setattr(p.spec.containers[0], "image", "b")) == []


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("activeDeadlineSeconds", 50, None),
        ("activeDeadlineSeconds", 101, "spec.activeDeadlineSeconds"),
        ("activeDeadlineSeconds", None, "spec.activeDeadlineSeconds"),
        ("hostname", "h", "spec"),
        ("nodeName", "n", "spec"),
        ("terminationGracePeriodSeconds", 1, "spec"),
        ("tolerations", [], "spec.tolerations"),
        ("containers", [], "spec.containers"),
    ],
)
def test_little_else_of_a_pod_may(name: str, value: Any, field: str | None) -> None:
    found = {c.field for c in pod_faults(lambda p: setattr(p.spec, name, value))}
    assert found == ({field} if field else set())


def test_the_refusal_shows_what_would_have_changed() -> None:
    (fault,) = pod_faults(lambda p: setattr(p.spec, "hostname", "h"))
    head, _, shown = fault.message.partition("\n")
    assert head.startswith("Forbidden: pod updates may not change fields other than")
    assert [line for line in shown.splitlines() if line[0] in "-+"] == [
        '- "Hostname": "",',
        '+ "Hostname": "h",',
    ]


def test_an_ephemeral_container_stays_as_it_is() -> None:
    old = pod(ephemeralContainers=[{"name": "d", "image": "a"}])
    new = pod(ephemeralContainers=[{"name": "d", "image": "b"}])
    (fault,) = validate_ephemeral(new, old)
    assert fault.field == "spec.ephemeralContainers"
    assert fault.message.endswith(
        '\n@@ -1,6 +1,6 @@\n {\n  "Name": "d",\n- "Image": "a",\n+ "Image": "b",\n'
        '  "Command": null,\n  "Args": null,\n  "WorkingDir": "",\n'
    )
    assert validate_ephemeral(old, pod()) == []


@pytest.mark.parametrize(
    ("kind", "old", "new", "faults"),
    [
        ("Secret", {"type": "Opaque"}, {"type": "x"}, ["type: field is immutable"]),
        (
            "Secret",
            {"immutable": True, "data": {"a": "QQ=="}},
            {"immutable": True, "data": {}},
            ["data: field is immutable when `immutable` is set"],
        ),
        (
            "ConfigMap",
            {"immutable": True},
            {"data": {"a": "b"}},
            [
                "immutable: field is immutable when `immutable` is set",
                "data: field is immutable when `immutable` is set",
            ],
        ),
        (
            "EndpointSlice",
            {"addressType": "IPv4"},
            {"addressType": "IPv6"},
            ["addressType: field is immutable"],
        ),
    ],
)
def test_other_kinds(
    kind: str, old: dict[str, Any], new: dict[str, Any], faults: list[str]
) -> None:
    found = next(k for k in KINDS if k.kind == kind)
    before, after = (msgspec.convert(body, found.type) for body in (old, new))
    for obj in (before, after):
        found.set_defaults(obj)
    shown = [f"{c.field}: {c.message}" for c in found.validate_update(after, before)]
    assert len(shown) == len(faults)
    for text, (field, _, why) in zip(shown, (f.partition(": ") for f in faults), strict=True):
        assert text.startswith(f"{field}: ")
        assert text.endswith(why)


def test_a_controllers_status_must_add_up() -> None:
    kind = next(k for k in KINDS if k.kind == "ReplicationController")
    obj = msgspec.convert({"status": {"replicas": 1, "readyReplicas": 2}}, kind.type)
    assert [c.field for c in kind.validate_status(obj, obj)] == ["status.readyReplicas"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("uid", "other"), ("name", "other"), ("deletionTimestamp", "2020-01-01T00:00:00Z")],
)
def test_metadata_that_names_the_object_is_fixed(name: str, value: str) -> None:
    old, new = pod(), pod()
    setattr(new.metadata, name, value)
    found = validate_meta_update(new, old, POD)
    assert {(c.field, c.message) for c in found} == {
        (f"metadata.{name}", f'Invalid value: "{value}": field is immutable')
    }
    assert len(found) == 2  # as clients know it: upstream looks twice


def test_no_finalizer_joins_an_object_that_is_going_away() -> None:
    old, new = pod(), pod()
    old.metadata.deletionTimestamp = new.metadata.deletionTimestamp = "2020-01-01T00:00:00Z"
    old.metadata.finalizers = ["a/b"]
    new.metadata.finalizers = ["a/b", "example.com/new"]
    assert validate_meta_update(new, old, POD)[0].message == (
        "Forbidden: no new finalizers can be added if the object is being deleted,"
        ' found new finalizers []string{"example.com/new"}'
    )
    new.metadata.finalizers = []
    assert validate_meta_update(new, old, POD) == []


def pod(**spec: Any) -> Pod:
    container = {"name": "c", "image": "a"}
    toleration = {"key": "k", "operator": "Exists"}
    body = {"containers": [container], "tolerations": [toleration], "activeDeadlineSeconds": 100}
    obj = msgspec.convert({"spec": body | spec}, Pod)
    obj.metadata = ObjectMeta(name="p", namespace="ns", uid="u", resourceVersion="1")
    POD.set_defaults(obj)
    return obj


def pod_faults(change: Callable[[Pod], None]) -> list[Cause]:
    new = pod()
    change(new)
    return POD.validate_update(new, pod())
