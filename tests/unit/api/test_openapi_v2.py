"""OpenAPI v2: the same schemas in Swagger's words, and as the protobuf that old kubectl reads."""

from collections.abc import Iterator
from typing import Any

import pytest

from appliance.api import openapi_v2, openapi_wire
from appliance.api.protowire import read_message

POD = "io.k8s.api.core.v1.Pod"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_v2.document()


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from nodes(part)
    elif isinstance(value, list):
        for part in value:
            yield from nodes(part)


def test_there_is_nothing_in_it_that_swagger_does_not_know(document: dict[str, Any]) -> None:
    names = {f"#/definitions/{name}" for name in document["definitions"]}
    for node in nodes(document):
        assert not {"oneOf", "allOf", "requestBody", "components"} & node.keys()
        assert node.get("$ref") is None or node["$ref"] in names


def test_a_reference_keeps_its_description(document: dict[str, Any]) -> None:
    spec = document["definitions"][POD]["properties"]["spec"]
    assert spec["$ref"] == "#/definitions/io.k8s.api.core.v1.PodSpec"
    assert spec["description"]


def test_writes_have_a_body_and_are_validated_by_the_server(document: dict[str, Any]) -> None:
    path = document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]
    for method in ("put", "patch"):
        places = {p["name"]: p["in"] for p in path[method]["parameters"]}
        assert (places["body"], places["fieldValidation"]) == ("body", "query")
    assert path["get"]["parameters"][0]["name"] == "pretty"


def fields(data: Any, number: int) -> list[memoryview]:
    found = [value for n, _, value in read_message(memoryview(bytes(data))) if n == number]
    return [value for value in found if not isinstance(value, int)]


def text(data: Any, number: int) -> str:
    return str(fields(data, number)[0], "utf-8")


def test_the_protobuf_says_what_the_json_says(document: dict[str, Any]) -> None:
    raw = openapi_wire.encode(document)
    (definitions,) = fields(raw, 9)
    schemas = {text(named, 1): fields(named, 2)[0] for named in fields(definitions, 1)}
    assert schemas.keys() == document["definitions"].keys()
    pod = schemas[POD]
    assert text(pod, 4) == document["definitions"][POD]["description"]
    extensions = {text(named, 1): text(fields(named, 2)[0], 2) for named in fields(pod, 31)}
    assert extensions["x-kubernetes-group-version-kind"] == (
        '[{"group":"","version":"v1","kind":"Pod"}]\n'
    )
    (paths,) = fields(raw, 8)
    assert [text(named, 1) for named in fields(paths, 2)] == list(document["paths"])


def test_a_kind_that_is_part_of_others_is_known_as_one() -> None:
    definition = openapi_v2.document()["definitions"]["io.k8s.api.core.v1.PersistentVolumeClaim"]
    [found] = definition["x-kubernetes-group-version-kind"]
    assert found == {"group": "", "version": "v1", "kind": "PersistentVolumeClaim"}


def test_what_is_only_posted_is_explained_too() -> None:
    document = openapi_v2.document()
    review = document["definitions"]["io.k8s.api.authorization.v1.SubjectAccessReview"]
    assert review["properties"]["spec"]["description"]
    path = document["paths"]["/apis/authorization.k8s.io/v1/subjectaccessreviews"]
    assert list(path) == ["post"]
