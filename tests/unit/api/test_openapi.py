"""OpenAPI documents: what kubectl looks for is there, and every reference leads somewhere."""

from collections.abc import Iterator
from typing import Any

import pytest

from appliance.api import openapi_v3
from appliance.api.kinds.table import KINDS

GROUPS = sorted({(k.group, k.version) for k in KINDS})
POD = "io.k8s.api.core.v1.Pod"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."


@pytest.fixture(scope="module")
def core() -> dict[str, Any]:
    return openapi_v3.document("", "v1")


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


@pytest.mark.parametrize(("group", "version"), GROUPS)
def test_every_reference_leads_to_a_schema(group: str, version: str) -> None:
    document = openapi_v3.document(group, version)
    names = {f"#/components/schemas/{n}" for n in document["components"]["schemas"]}
    assert set(references(document)) <= names


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.group}-{k.kind}")
def test_every_kind_can_be_looked_up_and_is_validated_by_the_server(kind: Any) -> None:
    document = openapi_v3.document(kind.group, kind.version)
    wanted = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    schemas = document["components"]["schemas"].values()
    assert [s for s in schemas if wanted in s.get("x-kubernetes-group-version-kind", ())]
    writes = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in {"post", "put", "patch"}
        and operation["x-kubernetes-group-version-kind"] == wanted
    ]
    actions = {"create": "post", "update": "put", "patch": "patch"}
    assert {o["x-kubernetes-action"] for o in writes} >= {
        action for verb, action in actions.items() if verb in kind.verbs
    }
    assert all(any(p["name"] == "fieldValidation" for p in o["parameters"]) for o in writes)


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for group, version in GROUPS
        for path in openapi_v3.document(group, version)["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    assert len(names) == len(set(names))
    assert {"listCoreV1NamespacedPod", "listCoreV1PodForAllNamespaces"} <= set(names)


def test_schemas_carry_types_and_merge_rules(core: dict[str, Any]) -> None:
    schemas = core["components"]["schemas"]
    spec = schemas["io.k8s.api.core.v1.PodSpec"]
    containers = spec["properties"]["containers"]
    assert containers["type"] == "array"
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert "containers" in spec["required"]
    volumes = spec["properties"]["volumes"]
    assert volumes["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    port = schemas["io.k8s.api.core.v1.ContainerPort"]["properties"]["containerPort"]
    assert (port["type"], port["format"]) == ("integer", "int32")
    assert schemas[META + "LabelSelector"]["x-kubernetes-map-type"] == "atomic"
    assert schemas[POD]["properties"]["metadata"]["allOf"] == [
        {"$ref": f"#/components/schemas/{META}ObjectMeta"}
    ]
    assert POD + "List" in schemas


def test_the_index_names_documents_by_their_content() -> None:
    index = openapi_v3.index()["paths"]
    reviews = {"apis/authentication.k8s.io/v1", "apis/authorization.k8s.io/v1"}
    assert set(index) == {openapi_v3.path_of(g, v) for g, v in GROUPS} | reviews
    assert index["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")
    assert openapi_v3.encoded("", "v1").startswith(b'{"openapi":"3.0.0"')
    assert openapi_v3.encoded("no.such.group", "v1") == b""
