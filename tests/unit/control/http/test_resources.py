"""Objects over HTTP: forms, codes and headers that clients rely on."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from appliance.kit import jsonio
from tests.conform.live import TOKEN, live

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with live(tmp_path) as running:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "story/1.0"}
        base = running.access.server
        async with httpx.AsyncClient(
            base_url=base, verify=context, headers=headers, trust_env=False
        ) as client:
            yield client


async def create(http: httpx.AsyncClient, name: str, **data: str) -> Any:
    answer = await http.post(CONFIG_MAPS, json={"metadata": {"name": name}, "data": data})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_an_object_goes_in_and_comes_out_the_same(http: httpx.AsyncClient) -> None:
    made = await create(http, "a", k="v")
    answer = await http.get(f"{CONFIG_MAPS}/a")
    assert answer.json() == made
    assert answer.headers["content-type"] == "application/json"
    assert made["metadata"]["managedFields"][0]["manager"] == "story"


async def test_items_of_a_list_do_not_repeat_what_the_list_has_said(
    http: httpx.AsyncClient,
) -> None:
    made = await create(http, "a", k="v")
    body = (await http.get(CONFIG_MAPS)).json()
    del made["kind"], made["apiVersion"]
    assert (body["kind"], body["items"]) == ("ConfigMapList", [made])
    assert (await http.get("/api/v1/namespaces/default/secrets")).json()["items"] == []


async def test_a_page_says_how_to_go_on_and_how_much_is_left(http: httpx.AsyncClient) -> None:
    for name in "abc":
        await create(http, name)
    first = (await http.get(f"{CONFIG_MAPS}?limit=2")).json()["metadata"]
    assert first["remainingItemCount"] == 1
    rest = (await http.get(f"{CONFIG_MAPS}?limit=2&continue={first['continue']}")).json()
    assert [i["metadata"]["name"] for i in rest["items"]] == ["c"]
    assert "continue" not in rest["metadata"]


async def test_a_list_may_be_a_table_or_metadata_only(http: httpx.AsyncClient) -> None:
    await create(http, "a", k="v", l="w")
    table = (await http.get(CONFIG_MAPS, headers={"Accept": TABLE})).json()
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    (row,) = table["rows"]
    assert row["cells"][:2] == ["a", 2]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    bare = await http.get(f"{CONFIG_MAPS}?includeObject=None", headers={"Accept": TABLE})
    assert bare.json()["rows"][0]["object"] is None
    partial = (await http.get(CONFIG_MAPS, headers={"Accept": METADATA_LIST})).json()
    assert partial["kind"] == "PartialObjectMetadataList"
    assert set(partial["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_people_get_indented_json_and_who_asks_gets_yaml(http: httpx.AsyncClient) -> None:
    made = await create(http, "a", k="v")
    curl = await http.get(f"{CONFIG_MAPS}/a", headers={"User-Agent": "curl/8.0"})
    assert curl.text.startswith('{\n  "kind": "ConfigMap",')
    assert "\n" not in (await http.get(f"{CONFIG_MAPS}/a")).text.strip()
    text = (await http.get(f"{CONFIG_MAPS}/a", headers={"Accept": "application/yaml"})).text
    loaded = yaml.load(text, Loader=yaml.BaseLoader)
    assert loaded["metadata"]["uid"] == made["metadata"]["uid"]


async def test_unknown_fields_are_warned_of_in_headers(http: httpx.AsyncClient) -> None:
    body = {"metadata": {"name": "a"}, "zzz": 1}
    answer = await http.post(CONFIG_MAPS, json=body)
    assert answer.status_code == 201
    assert answer.headers["warning"] == '299 - "unknown field \\"zzz\\""'
    strict = await http.post(f"{CONFIG_MAPS}?fieldValidation=Strict", json=body)
    assert strict.status_code == 400


async def test_a_delete_answers_success_or_what_is_left(http: httpx.AsyncClient) -> None:
    made = await create(http, "a")
    gone = (await http.delete(f"{CONFIG_MAPS}/a")).json()
    assert gone["status"] == "Success"
    assert gone["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    held = {"metadata": {"name": "b", "finalizers": ["example.com/hold"]}}
    await http.post(CONFIG_MAPS, json=held)
    left = (await http.delete(f"{CONFIG_MAPS}/b")).json()
    assert left["metadata"]["deletionTimestamp"]
    account = {"metadata": {"name": "x"}}
    await http.post("/api/v1/namespaces/default/serviceaccounts", json=account)
    shown = (await http.delete("/api/v1/namespaces/default/serviceaccounts/x")).json()
    assert shown["kind"] == "ServiceAccount"


async def test_a_collection_is_deleted_and_shown(http: httpx.AsyncClient) -> None:
    for name in "ab":
        await create(http, name)
    selector = "fieldSelector=metadata.name%3Da"
    shown = (await http.delete(f"{CONFIG_MAPS}?{selector}")).json()
    assert [i["metadata"]["name"] for i in shown["items"]] == ["a"]
    assert len((await http.get(CONFIG_MAPS)).json()["items"]) == 1


async def test_a_body_over_the_limit_is_refused(http: httpx.AsyncClient) -> None:
    body = jsonio.dumps({"metadata": {"name": "a"}, "data": {"a": "x" * 3_200_000}})
    answer = await http.post(CONFIG_MAPS, content=body)
    assert (answer.status_code, answer.json()["message"]) == (
        413,
        "Request entity too large: limit is 3145728",
    )


async def test_nothing_acceptable_and_unknown_media(http: httpx.AsyncClient) -> None:
    refused = await http.get(CONFIG_MAPS, headers={"Accept": "text/html"})
    assert (refused.status_code, refused.json()["reason"]) == (406, "NotAcceptable")
    media = {"Content-Type": "application/json"}
    patch = await http.patch(f"{CONFIG_MAPS}/a", content=b"{}", headers=media)
    assert (patch.status_code, patch.json()["reason"]) == (415, "UnsupportedMediaType")


async def test_a_scale_is_read_and_changed(http: httpx.AsyncClient) -> None:
    controllers = "/api/v1/namespaces/default/replicationcontrollers"
    template = {
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    spec = {"replicas": 2, "selector": {"app": "a"}, "template": template}
    await http.post(controllers, json={"metadata": {"name": "a"}, "spec": spec})
    scale = (await http.get(f"{controllers}/a/scale")).json()
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 2)
    scale["spec"]["replicas"] = 3
    assert (await http.put(f"{controllers}/a/scale", json=scale)).status_code == 200
    assert (await http.get(f"{controllers}/a")).json()["spec"]["replicas"] == 3


async def test_reviews_answer_at_once(http: httpx.AsyncClient) -> None:
    asked = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    answer = await http.post(REVIEWS, json=asked)
    assert (answer.status_code, answer.json()["status"]) == (201, {"allowed": True})
    assert (await http.post(REVIEWS, json={"spec": {}})).status_code == 422
    me = await http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={})
    assert me.json()["status"]["userInfo"]["username"] == "admin"
    assert (await http.get(REVIEWS)).status_code == 405


async def test_a_token_is_told_whose_it_is(http: httpx.AsyncClient) -> None:
    url = "/apis/authentication.k8s.io/v1/tokenreviews"
    known = (await http.post(url, json={"spec": {"token": TOKEN}})).json()["status"]
    assert (known["authenticated"], known["user"]["username"]) == (True, "admin")
    unknown = (await http.post(url, json={"spec": {"token": "x"}})).json()["status"]
    assert unknown == {"user": {}, "error": "invalid bearer token"}


async def test_an_unknown_group_is_no_page_and_an_unknown_version_no_resource(
    http: httpx.AsyncClient,
) -> None:
    for path in ("/apis/x.example.com/v1/things", "/apis/x.example.com"):
        answer = await http.get(path)
        assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    answer = await http.get("/apis/coordination.k8s.io/v9")
    assert answer.json()["reason"] == "NotFound"


async def test_openapi_documents_may_be_kept_by_their_hash(http: httpx.AsyncClient) -> None:
    index = (await http.get("/openapi/v3")).json()["paths"]
    url = index["api/v1"]["serverRelativeURL"]
    document = await http.get(url)
    assert "io.k8s.api.core.v1.Pod" in document.json()["components"]["schemas"]
    assert "immutable" in document.headers["cache-control"]
    again = await http.get(url, headers={"If-None-Match": document.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await http.get("/openapi/v3/api/v9")).status_code == 404


async def test_old_clients_get_one_document_as_protobuf(http: httpx.AsyncClient) -> None:
    asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answer = await http.get("/openapi/v2", headers={"Accept": asked})
    assert answer.headers["content-type"] == asked.replace("@", ".")
    assert answer.content.startswith(b"\x0a\x032.0")
    kept = {"Accept": asked, "If-None-Match": answer.headers["etag"]}
    assert (await http.get("/openapi/v2", headers=kept)).status_code == 304
    assert (await http.get("/openapi/v2")).json()["swagger"] == "2.0"


async def test_requests_are_counted_by_resource_and_never_by_name(
    http: httpx.AsyncClient,
) -> None:
    await http.get(f"{CONFIG_MAPS}/secret-name")
    text = (await http.get("/metrics")).text
    line = (
        'apiserver_request_total{code="404",group="",resource="configmaps",'
        'subresource="",verb="GET"} 1.0'
    )
    assert line in text
    assert "secret-name" not in text
