"""Server-side apply: the stories that kube-apiserver was recorded with."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api import codec, managedfields
from appliance.api.apply import server_side_apply
from appliance.api.apply_merge import merged_order
from appliance.api.errors import BadRequest, Conflict, InternalError
from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.service import Service
from appliance.api.schema import Message


def applied(
    struct: type[Message],
    live: dict[str, Any] | None,
    patch: dict[str, Any],
    manager: str = "alpha",
    *,
    force: bool = False,
    now: str = "2026-01-01T00:00:00Z",
    subresource: str = "",
) -> dict[str, Any]:
    return server_side_apply(
        struct,
        live,
        patch,
        manager=manager,
        force=force,
        api_version="v1",
        now=now,
        subresource=subresource,
    )


def config(**data: Any) -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "r"}}
    return {**body, "data": data} if data else body


def owned(obj: dict[str, Any]) -> dict[str, Any]:
    return {e["manager"]: e["fieldsV1"] for e in obj["metadata"].get("managedFields", ())}


def test_the_applier_owns_what_it_states_and_what_it_drops_goes() -> None:
    live = applied(ConfigMap, None, config(a="1", b="2"))
    assert owned(live) == {"alpha": {"f:data": {"f:a": {}, "f:b": {}}}}
    assert applied(ConfigMap, live, config(a="1", b="2"), now="2027-01-01T00:00:00Z") == live
    live = applied(ConfigMap, live, config(a="1"))
    assert live["data"] == {"a": "1"}
    assert owned(live) == {"alpha": {"f:data": {"f:a": {}}}}


def test_changing_what_another_owns_is_a_conflict_unless_forced() -> None:
    live = applied(ConfigMap, None, config(a="1"))
    with pytest.raises(Conflict) as caught:
        applied(ConfigMap, live, config(a="9", c="3"), "beta")
    assert caught.value.message == ('Apply failed with 1 conflict: conflict with "alpha": .data.a')
    assert caught.value.status()["details"] == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "alpha"',
                "field": ".data.a",
            }
        ]
    }
    live = applied(ConfigMap, live, config(a="9", c="3"), "beta", force=True)
    assert live["data"] == {"a": "9", "c": "3"}
    assert owned(live) == {"beta": {"f:data": {"f:a": {}, "f:c": {}}}}


def test_two_may_own_the_same_value_and_the_second_gets_no_time() -> None:
    live = applied(ConfigMap, None, config(a="1"))
    live = applied(ConfigMap, live, config(a="1"), "gamma")
    assert [("time" in e) for e in live["metadata"]["managedFields"]] == [False, True]
    with pytest.raises(Conflict) as caught:
        applied(ConfigMap, live, config(a="2"), "beta")
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "alpha":\n- .data.a\n'
        'conflicts with "gamma":\n- .data.a'
    )
    live = applied(ConfigMap, live, config(), "alpha")
    assert live["data"] == {"a": "1"}
    live = applied(ConfigMap, live, config(), "gamma")
    assert not live.get("data")


def test_an_updater_s_fields_conflict_with_its_version() -> None:
    live = applied(ConfigMap, None, config(a="1"))
    new = {**live, "data": {"a": "5"}}
    live = {**new, "metadata": dict(new["metadata"])}
    before = applied(ConfigMap, None, config(a="1"))
    live["metadata"]["managedFields"] = managedfields.on_update(
        ConfigMap, before, new, manager="scaler", api_version="v1", now="t"
    )
    with pytest.raises(Conflict, match=r'conflict with "scaler" using v1: \.data\.a'):
        applied(ConfigMap, live, config(a="3"))


def service(*ports: tuple[int, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": port, "name": name} for port, name in ports]},
    }


def test_elements_of_lists_have_owners_of_their_own() -> None:
    live = applied(Service, None, service((80, "h")))
    live = applied(Service, live, service((81, "i")), "beta")
    assert [p["name"] for p in live["spec"]["ports"]] == ["h", "i"]
    with pytest.raises(Conflict) as caught:
        applied(Service, live, service((80, "x")), "beta")
    assert '.spec.ports[port=80,protocol="TCP"].name' in caught.value.message
    live = applied(Service, live, service())
    assert [p["name"] for p in live["spec"]["ports"]] == ["i"]


def test_status_is_applied_through_its_own_door() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "s"}}
    ready = {**pod, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    live = applied(Pod, None, {**pod, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    live = applied(Pod, live, ready, "kubelet", subresource="status")
    assert owned(live)["kubelet"] == {
        "f:status": {
            "f:conditions": {'k:{"type":"Ready"}': {".": {}, "f:status": {}, "f:type": {}}}
        }
    }
    same = applied(Pod, live, {**pod, "status": {"phase": "Failed"}}, "alpha")
    assert "f:status" not in owned(same).get("alpha", {})


def test_an_untracked_object_gets_an_owner_for_its_past() -> None:
    live = {"metadata": {"name": "r"}, "data": {"a": "1", "b": "2"}}
    live = applied(ConfigMap, live, config(a="1"))
    assert owned(live) == {
        "alpha": {"f:data": {"f:a": {}}},
        "before-first-apply": {"f:data": {".": {}, "f:a": {}, "f:b": {}}},
    }


@pytest.mark.parametrize(
    ("struct", "patch", "problem"),
    [
        (
            ConfigMap,
            config(a=1),
            "(/r; /v1, Kind=ConfigMap): .data.a: expected string,"
            " got &value.valueUnstructured{Value:1}",
        ),
        (
            ConfigMap,
            {**config(), "data": ["a"]},
            "(/r; /v1, Kind=ConfigMap): .data: expected map, got &{[a]}",
        ),
        (
            ConfigMap,
            {**config(), "zzz": 1},
            "(/r; /v1, Kind=ConfigMap): .zzz: field not declared in schema",
        ),
        (
            Service,
            service((80, "h"), (80, "i")),
            "(/s; /v1, Kind=Service): .spec.ports: duplicate entries for key"
            ' [port=80,protocol="TCP"]',
        ),
    ],
)
def test_what_does_not_fit_the_schema_is_upstreams_500(
    struct: type[Message], patch: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InternalError) as caught:
        applied(struct, None, patch)
    assert caught.value.message == "failed to create typed patch object " + problem
    assert "reason" not in caught.value.status()


def test_a_configuration_may_not_carry_entries_nor_be_of_another_kind() -> None:
    with pytest.raises(BadRequest, match=r"metadata\.managedFields must be nil"):
        applied(ConfigMap, None, {**config(), "metadata": {"name": "r", "managedFields": []}})
    with pytest.raises(BadRequest) as caught:
        applied(ConfigMap, None, {**config(), "apiVersion": "apps/v9"})
    assert caught.value.message == "invalid object type: apps/v9, Kind=ConfigMap"


def test_a_revision_says_nothing_about_an_object_that_is_not_there() -> None:
    made = applied(ConfigMap, None, {**config(), "metadata": {"name": "r", "resourceVersion": "1"}})
    assert "resourceVersion" not in made["metadata"]


@pytest.mark.parametrize(
    ("live", "ours", "merged"),
    [
        ("abc", "bd", "abcd"),
        ("abc", "cb", "acb"),
        ("abc", "xa", "xabc"),
        ("", "ab", "ab"),
        ("ab", "", "ab"),
    ],
)
def test_orders_interleave(live: str, ours: str, merged: str) -> None:
    assert "".join(merged_order(list(live), list(ours))) == merged


DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2"]), max_size=4)


@given(DATA, DATA, DATA)
def test_after_a_forced_apply_the_object_says_what_was_stated(
    first: dict[str, str], other: dict[str, str], second: dict[str, str]
) -> None:
    live = applied(ConfigMap, None, config(**first))
    live = applied(ConfigMap, live, config(**other), "beta", force=True)
    live = applied(ConfigMap, live, config(**second), force=True)
    obj, _ = codec.decode(ConfigMap, live)
    # What beta stated stays, unless alpha states it otherwise; what only alpha had goes.
    assert obj.data == {**other, **second}
