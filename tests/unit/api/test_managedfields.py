"""Who owns which field after ordinary writes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appliance.api import codec, fieldsets, managedfields
from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.service import Service
from appliance.api.schema import Message


def written(
    struct: type[Message],
    old: dict[str, Any] | None,
    new: dict[str, Any],
    manager: str = "golden",
    now: str = "t1",
    subresource: str = "",
) -> list[dict[str, Any]]:
    return managedfields.on_update(
        struct, old, new, manager=manager, api_version="v1", now=now, subresource=subresource
    )


def config(entries: list[dict[str, Any]] | None = None, **data: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": "x", "uid": "1", "resourceVersion": "7"}
    if entries is not None:
        meta["managedFields"] = entries
    body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta}
    return {**body, "data": data} if data else body


def test_a_create_gives_all_that_was_set_to_the_writer_and_nothing_of_the_servers() -> None:
    assert written(ConfigMap, None, config(k="v")) == [
        {
            "manager": "golden",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "t1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {".": {}, "f:k": {}}},
        }
    ]


def test_lists_are_owned_by_key_and_some_structs_as_a_whole() -> None:
    body = {
        "spec": {
            "selector": {"app": "a"},
            "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
            "type": "ClusterIP",
        }
    }
    obj, _ = codec.decode(Service, body)
    (entry,) = written(Service, None, codec.to_plain(obj))
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:ports": {
                ".": {},
                'k:{"port":80,"protocol":"TCP"}': {
                    ".": {},
                    "f:port": {},
                    "f:protocol": {},
                    "f:targetPort": {},
                },
            },
            "f:selector": {},
            "f:type": {},
        }
    }


def test_a_second_writer_takes_what_it_changes() -> None:
    first = written(ConfigMap, None, config(a="1", b="2"))
    live = config(first, a="1", b="2")
    entries = written(ConfigMap, live, config(first, a="1", b="9", c="3"), "other", "t2")
    owned = {e["manager"]: (e["time"], e["fieldsV1"]) for e in entries}
    assert owned == {
        "golden": ("t1", {"f:data": {".": {}, "f:a": {}}}),
        "other": ("t2", {"f:data": {"f:b": {}, "f:c": {}}}),
    }


def test_what_is_removed_is_nobodys_and_an_empty_entry_goes() -> None:
    first = written(ConfigMap, None, config(a="1"))
    live = config(first, a="1")
    assert written(ConfigMap, live, config(first), "other") == []


def test_a_write_that_changes_nothing_changes_no_entry() -> None:
    first = written(ConfigMap, None, config(a="1"))
    live = config(first, a="1")
    assert written(ConfigMap, live, live, "other", "t2") == first


def test_status_and_spec_are_kept_apart() -> None:
    live = codec.to_plain(codec.decode(Pod, {"spec": {"nodeName": "n"}})[0])
    live["metadata"]["managedFields"] = written(Pod, None, live)
    new = {**live, "spec": {**live["spec"], "nodeName": "m"}, "status": {"phase": "Running"}}
    entries = written(Pod, live, new, "kubelet", "t2", "status")
    (status,) = [e for e in entries if e.get("subresource")]
    assert status["fieldsV1"] == {"f:status": {"f:phase": {}}}
    (main,) = [e for e in entries if not e.get("subresource")]
    assert "f:nodeName" in main["fieldsV1"]["f:spec"]
    again = written(Pod, live, new, "golden", "t3")
    assert "f:status" not in again[0]["fieldsV1"]


def test_writers_may_reset_the_entries_and_untracked_objects_stay_untracked() -> None:
    first = written(ConfigMap, None, config(a="1"))
    assert written(ConfigMap, config(first, a="1"), config([{}], a="1")) == []
    assert written(ConfigMap, config(a="1"), config(a="2")) == []


def test_entries_that_make_no_sense_count_as_none() -> None:
    bad = [{"manager": "x", "operation": "Bad", "apiVersion": "v1", "fieldsV1": {}}]
    (entry,) = written(ConfigMap, None, config(bad, a="1"))
    assert entry["manager"] == "golden"


def test_no_more_than_ten_updaters_are_told_apart() -> None:
    live = config(written(ConfigMap, None, config(k0="0"), "m0", "t00"), k0="0")
    for number in range(1, 14):
        data = {**live["data"], f"k{number}": "x"}
        entries = live["metadata"]["managedFields"]
        new = config(entries, **data)
        live = config(written(ConfigMap, live, new, f"m{number}", f"t{number:02}"), **data)
    entries = live["metadata"]["managedFields"]
    assert len(entries) == 10
    assert entries[0]["manager"] == "ancient-changes"
    owned = frozenset().union(*(fieldsets.parse(e["fieldsV1"]) for e in entries))
    assert {("f:data", f"f:k{n}") for n in range(14)} <= owned


STEPS = st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"']), min_size=1, max_size=4)


@given(st.frozensets(STEPS.map(tuple), max_size=8))
def test_a_set_survives_writing_and_reading(fields: fieldsets.FieldSet) -> None:
    assert fieldsets.parse(fieldsets.render(fields)) == fields


def test_paths_print_as_upstream_prints_them() -> None:
    path = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:name")
    assert fieldsets.show(path) == '.spec.ports[port=80,protocol="TCP"].name'
    assert fieldsets.show(("f:metadata", "f:finalizers", 'v:"a"')) == '.metadata.finalizers[="a"]'
