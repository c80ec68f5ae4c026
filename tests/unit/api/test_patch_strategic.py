"""Strategic merge: the order and the directives are those that kube-apiserver was seen to have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.errors import BadRequest, InternalError
from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.service import Service
from appliance.api.patch_strategic import strategic_merge


def ports(*pairs: tuple[int, str]) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": port, "name": name} for port, name in pairs]}}


def test_one_element_of_a_list_changes_and_new_ones_come_first() -> None:
    live = ports((80, "a"), (81, "b"))
    patched = strategic_merge(Service, live, {"spec": {"ports": [{"port": 80, "targetPort": 8}]}})
    assert patched["spec"]["ports"][0] == {"port": 80, "name": "a", "targetPort": 8}
    assert strategic_merge(Service, live, ports((82, "c"))) == ports(
        (82, "c"), (80, "a"), (81, "b")
    )
    assert live == ports((80, "a"), (81, "b"))


def test_patched_elements_keep_their_place_among_the_others() -> None:
    live = ports((1, "a"), (2, "b"), (3, "c"))
    assert strategic_merge(Service, live, ports((2, "x"))) == ports((1, "a"), (2, "x"), (3, "c"))
    assert strategic_merge(Service, live, ports((3, "z"), (1, "x"))) == ports(
        (2, "b"), (3, "z"), (1, "x")
    )


def test_elements_are_deleted_and_lists_replaced_by_directive() -> None:
    live = ports((80, "a"), (81, "b"))
    gone = {"spec": {"ports": [{"port": 81, "$patch": "delete"}]}}
    assert strategic_merge(Service, live, gone) == ports((80, "a"))
    whole = {"spec": {"ports": [{"port": 9, "name": "z"}, {"$patch": "replace"}]}}
    assert strategic_merge(Service, live, whole) == ports((9, "z"))


def test_the_order_is_set_by_directive() -> None:
    live = ports((82, "c"), (80, "a"))
    patch = {
        "spec": {
            "$setElementOrder/ports": [{"port": 80}, {"port": 82}],
            "ports": [{"port": 82, "name": "cc"}],
        }
    }
    assert strategic_merge(Service, live, patch) == ports((80, "a"), (82, "cc"))
    only_order = {"spec": {"$setElementOrder/ports": [{"port": 80}, {"port": 82}]}}
    assert strategic_merge(Service, live, only_order) == ports((80, "a"), (82, "c"))


def test_an_order_that_does_not_name_the_patched_element_is_refused() -> None:
    patch = {"spec": {"$setElementOrder/ports": [{"port": 80}], "ports": [{"port": 82}]}}
    with pytest.raises(BadRequest, match="doesn't match"):
        strategic_merge(Service, ports((80, "a")), patch)


def finalizers(*names: str) -> dict[str, Any]:
    return {"metadata": {"finalizers": list(names)}}


@pytest.mark.parametrize(
    ("patch", "left"),
    [
        ({"$deleteFromPrimitiveList/finalizers": ["b"]}, ["a", "c"]),
        ({"finalizers": ["d"], "$setElementOrder/finalizers": ["d", "a", "b", "c"]}, list("dabc")),
        ({"finalizers": ["b"]}, ["a", "b", "c"]),
        ({"finalizers": ["d"]}, ["d", "a", "b", "c"]),
    ],
)
def test_lists_of_plain_values(patch: dict[str, Any], left: list[str]) -> None:
    merged = strategic_merge(Pod, finalizers("a", "b", "c"), {"metadata": patch})
    assert merged == finalizers(*left)


def test_maps() -> None:
    live = {"metadata": {"labels": {"a": "1", "b": "2"}, "annotations": {"n": "1"}}}
    patch = {
        "metadata": {"labels": {"a": None, "c": "3"}, "annotations": {"$patch": "delete"}},
        "data": {"k": "v"},
    }
    assert strategic_merge(ConfigMap, live, patch) == {
        "metadata": {"labels": {"b": "2", "c": "3"}, "annotations": {}},
        "data": {"k": "v"},
    }
    only = {"metadata": {"labels": {"$patch": "replace", "z": "1"}}}
    assert strategic_merge(ConfigMap, live, only)["metadata"]["labels"] == {"z": "1"}
    assert strategic_merge(ConfigMap, live, {"$patch": "delete"}) == {}


def test_retain_keys_drops_the_other_sources_of_a_volume() -> None:
    live = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    volume = {"name": "v", "hostPath": {"path": "/x"}, "$retainKeys": ["name", "hostPath"]}
    patched = strategic_merge(Pod, live, {"spec": {"volumes": [volume]}})
    assert patched == {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}}


def test_directives_do_not_stay_in_what_is_taken_as_it_is() -> None:
    volume = {"name": "v", "emptyDir": {}, "$retainKeys": ["name", "emptyDir"]}
    patched = strategic_merge(Pod, {}, {"spec": {"volumes": [volume, {"$patch": "delete"}]}})
    assert patched == {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}


def test_malformed_patches_are_refused() -> None:
    with pytest.raises(BadRequest, match="unknown patch type"):
        strategic_merge(Pod, {}, {"$patch": "bogus"})
    with pytest.raises(InternalError, match="does not contain declared merge key: port"):
        strategic_merge(Service, ports((80, "a")), {"spec": {"ports": [{"name": "x"}]}})
    odd = {"metadata": {"finalizers": [["x"], {"y": 1}]}}
    with pytest.raises(InternalError):
        strategic_merge(Pod, finalizers("a"), odd)


PORTS = st.lists(st.integers(1, 9), unique=True)


@given(PORTS, PORTS)
def test_a_patch_loses_no_element_and_keeps_both_orders(live: list[int], given: list[int]) -> None:
    merged = strategic_merge(
        Service, ports(*((p, "live") for p in live)), ports(*((p, "new") for p in given))
    )
    found = [(p["port"], p["name"]) for p in merged["spec"]["ports"]]
    assert [n for n, by in found if by == "new"] == given
    assert [n for n, by in found if by == "live"] == [p for p in live if p not in given]
