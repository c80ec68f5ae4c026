"""What there is, in the old and in the aggregated form."""

from typing import Any

from appliance.api.kinds.table import KINDS
from appliance.control.http.discovery import Discovery, Extra
from appliance.kit import jsonio

BINDINGS = Extra(
    group="", version="v1", plural="bindings", singular="binding", kind="Binding", namespaced=True
)
DISCOVERY = Discovery(KINDS, [BINDINGS])
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def read(path: str, accept: str = "application/json") -> Any:
    document = DISCOVERY.choose(path, accept)
    assert document is not None
    return jsonio.loads(document.body)


def test_the_core_group_has_pods_with_their_subresources() -> None:
    resources = {r["name"]: r for r in read("/api/v1")["resources"]}
    pods = dict(resources["pods"])
    assert pods.pop("storageVersionHash")
    assert pods == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ],
        "shortNames": ["po"],
        "categories": ["all"],
    }
    assert resources["pods/eviction"] == {
        "name": "pods/eviction",
        "singularName": "",
        "namespaced": True,
        "group": "policy",
        "version": "v1",
        "kind": "Eviction",
        "verbs": ["create"],
    }
    assert resources["bindings"]["verbs"] == ["create"]


def test_groups_name_their_versions() -> None:
    groups = {g["name"]: g for g in read("/apis")["groups"]}
    assert groups["coordination.k8s.io"] == {
        "name": "coordination.k8s.io",
        "versions": [{"groupVersion": "coordination.k8s.io/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "coordination.k8s.io/v1", "version": "v1"},
    }
    assert read("/apis/coordination.k8s.io")["kind"] == "APIGroup"
    assert DISCOVERY.choose("/apis/nosuch.example.com", "") is None


def test_a_client_that_prefers_the_aggregated_form_gets_it() -> None:
    body = read("/api", AGGREGATED + ",application/json")
    assert (body["kind"], body["apiVersion"]) == (
        "APIGroupDiscoveryList",
        "apidiscovery.k8s.io/v2",
    )
    (core,) = body["items"]
    resources = {r["resource"]: r for r in core["versions"][0]["resources"]}
    assert resources["nodes"]["scope"] == "Cluster"
    assert {s["subresource"] for s in resources["pods"]["subresources"]} >= {"log", "binding"}
    names = {item["metadata"]["name"] for item in read("/apis", AGGREGATED)["items"]}
    assert "discovery.k8s.io" in names


def test_a_client_that_knows_no_aggregated_form_gets_the_old_one() -> None:
    assert read("/api", "application/json, */*")["kind"] == "APIVersions"
    assert read("/apis", "")["kind"] == "APIGroupList"
    unknown = AGGREGATED.replace("v=v2", "v=v9") + ",application/json"
    assert read("/apis", unknown)["kind"] == "APIGroupList"


def test_the_etag_follows_the_content() -> None:
    again = Discovery(KINDS, [BINDINGS])
    fewer = Discovery([k for k in KINDS if k.group != "coordination.k8s.io"], [BINDINGS])
    one, same, other = (d.choose("/apis", "") for d in (DISCOVERY, again, fewer))
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.etag == same.etag != other.etag
