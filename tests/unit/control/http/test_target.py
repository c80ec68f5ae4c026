"""What a URL names."""

import pytest

from appliance.control.http.target import parse_target


def test_a_url_names_a_verb_on_a_resource() -> None:
    target = parse_target("GET", "/api/v1/namespaces/shop/pods/web-1/log", {})
    assert (target.verb, target.namespace, target.resource, target.name, target.subresource) == (
        "get",
        "shop",
        "pods",
        "web-1",
        "log",
    )


@pytest.mark.parametrize(
    ("method", "path", "query", "verb", "resource", "name"),
    [
        ("GET", "/api/v1/pods", {}, "list", "pods", ""),
        ("GET", "/api/v1/pods", {"watch": "true"}, "watch", "pods", ""),
        ("GET", "/api/v1/pods", {"watch": "1"}, "watch", "pods", ""),
        ("GET", "/api/v1/pods", {"watch": "false"}, "list", "pods", ""),
        ("GET", "/api/v1/watch/namespaces/a/pods", {}, "watch", "pods", ""),
        ("GET", "/api/v1/watch/namespaces/a/pods/x", {}, "watch", "pods", "x"),
        ("GET", "/api/v1/namespaces/a/pods/x", {"watch": "true"}, "get", "pods", "x"),
        ("POST", "/apis/apps/v1/namespaces/a/deployments", {}, "create", "deployments", ""),
        ("PUT", "/api/v1/nodes/n", {}, "update", "nodes", "n"),
        ("PATCH", "/api/v1/nodes/n", {}, "patch", "nodes", "n"),
        ("DELETE", "/api/v1/nodes/n", {}, "delete", "nodes", "n"),
        ("DELETE", "/api/v1/nodes", {}, "deletecollection", "nodes", ""),
        ("FOO", "/api/v1/nodes", {}, "", "nodes", ""),
    ],
)
def test_verbs(
    method: str, path: str, query: dict[str, str], verb: str, resource: str, name: str
) -> None:
    target = parse_target(method, path, query)
    assert (target.verb, target.resource, target.name) == (verb, resource, name)


def test_a_namespace_is_in_its_own_namespace_so_that_its_owner_may_be_let_in() -> None:
    target = parse_target("GET", "/api/v1/namespaces/shop", {})
    assert (target.resource, target.name, target.namespace) == ("namespaces", "shop", "shop")
    assert not target.has_namespace


def test_finalize_and_status_of_a_namespace_are_no_resources_in_it() -> None:
    for subresource in ("finalize", "status"):
        target = parse_target("PUT", f"/api/v1/namespaces/shop/{subresource}", {})
        assert (target.resource, target.name) == ("namespaces", "shop")
        assert target.subresource == subresource


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/apis/apps/v1", "/version", "/nosuch"])
def test_everything_else_is_a_plain_path(path: str) -> None:
    target = parse_target("GET", path, {})
    assert (target.resource, target.path, target.verb) == ("", path, "get")


@pytest.mark.parametrize(
    ("path", "streams"),
    [
        ("/api/v1/namespaces/a/pods/x/log", True),
        ("/api/v1/namespaces/a/pods/x/exec", True),
        ("/api/v1/namespaces/a/pods/x/status", False),
        ("/api/v1/namespaces/a/pods", False),
    ],
)
def test_answers_that_go_on_are_known_by_their_url(path: str, streams: bool) -> None:
    assert parse_target("GET", path, {}).streams is streams


def test_a_watch_goes_on() -> None:
    assert parse_target("GET", "/api/v1/pods", {"watch": "1"}).streams
