"""The audit log: what stands in it, and what does not."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.control.access.tokenfile import read_tokens
from appliance.control.http.app import Parts, build_app
from appliance.control.http.audit import AuditLog, event_of
from appliance.control.http.auditpolicy import DEFAULT, Policy, Rule, read_policy
from appliance.control.http.exchange import Exchange
from appliance.control.http.target import parse_target
from appliance.control.registry.base import User
from tests.unit.control.http.test_server import NoObjects

JANE = User(name="jane", groups=("devs",), uid="7", extra={"scope": ("a",)})
NODE = User(name="system:node:n1", groups=("system:nodes",))
NOW = 1_700_000_000.0


async def nobody(*_args: Any) -> Any:
    return None


def exchange(path: str, user: User = JANE, method: str = "GET", query: str = "") -> Exchange:
    scope = {"query_string": query.encode(), "client": ("192.0.2.1", 4711)}
    target = parse_target(method, path, {})
    headers = {b"user-agent": b"curl/8"}
    return Exchange(
        scope=scope, receive=nobody, send=nobody, target=target, user=user, headers=headers
    )


def event(made: Exchange) -> dict[str, Any]:
    return event_of(made, audit_id="A", code=200, began=NOW, ended=NOW + 0.5)


def test_an_event_says_who_asked_for_what_and_when() -> None:
    made = exchange("/api/v1/namespaces/shop/pods/p/log", query="follow=1")
    made.notes["authorization.k8s.io/decision"] = "allow"
    assert event(made) == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "A",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods/p/log?follow=1",
        "verb": "get",
        "user": {"username": "jane", "uid": "7", "groups": ["devs"], "extra": {"scope": ["a"]}},
        "sourceIPs": ["192.0.2.1"],
        "userAgent": "curl/8",
        "objectRef": {
            "resource": "pods",
            "namespace": "shop",
            "name": "p",
            "apiVersion": "v1",
            "subresource": "log",
        },
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2023-11-14T22:13:20.000000Z",
        "stageTimestamp": "2023-11-14T22:13:20.500000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }


def test_who_really_asks_comes_first() -> None:
    made = exchange("/api/v1/nodes")
    made.impersonator = User(name="root")
    shown = event(made)
    assert shown["user"]["username"] == "root"
    assert shown["impersonatedUser"]["username"] == "jane"


@pytest.mark.parametrize(
    ("made", "logged"),
    [
        (exchange("/api/v1/secrets"), True),
        (exchange("/api/v1/secrets", NODE), True),
        (exchange("/apis/coordination.k8s.io/v1/leases", NODE), False),
        (exchange("/apis/coordination.k8s.io/v1/leases"), True),
        (exchange("/healthz"), False),
        (exchange("/apis/apps/v1"), False),
        (exchange("/metrics"), True),
    ],
)
def test_by_default_heartbeats_and_health_are_left_out(made: Exchange, logged: bool) -> None:
    assert DEFAULT.logs(made.user, made.target) is logged


POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [jane]
  verbs: [get, list]
  resources:
  - group: ""
    resources: [pods, "pods/log"]
- level: None
  userGroups: ["system:nodes"]
  namespaces: [kube-node-lease]
- level: None
  nonResourceURLs: ["/healthz*"]
- level: RequestResponse
  resources:
  - group: apps
- level: Metadata
  nonResourceURLs: ["/metrics"]
"""


@pytest.mark.parametrize(
    ("made", "logged"),
    [
        (exchange("/api/v1/pods"), False),
        (exchange("/api/v1/namespaces/n/pods/p/log"), False),
        (exchange("/api/v1/namespaces/n/pods/p/exec"), False),
        (exchange("/apis/apps/v1/deployments"), True),
        (exchange("/apis/apps/v1/namespaces/kube-node-lease/deployments", NODE), False),
        (exchange("/metrics"), True),
        (exchange("/healthz/ping"), False),
        (exchange("/version"), False),
    ],
)
def test_the_first_rule_that_fits_decides(made: Exchange, logged: bool) -> None:
    assert read_policy(POLICY).logs(made.user, made.target) is logged


@pytest.mark.parametrize(
    "text", ["rules: []", "kind: Other\nrules: [{level: None}]", "rules: [{level: All}]", "a: ["]
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no audit policy"):
        read_policy(text)


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path, Policy(rules=(Rule(level="Metadata"),)), size_max_bytes=1500)
    for number in range(12):
        log.record(exchange("/x"), audit_id=str(number), code=200, began=NOW, ended=NOW)
    log.close()
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names[:2] == ["audit.log", "audit.log.1"]
    assert len(names) <= 6
    last = [json.loads(line)["auditID"] for line in path.read_text().splitlines()]
    assert last[-1] == "11"
    assert path.stat().st_mode & 0o777 == 0o600
    assert all(p.stat().st_size <= 1500 for p in tmp_path.iterdir())


async def test_requests_of_a_server_come_into_the_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path, DEFAULT)
    app = build_app(Parts(registry=NoObjects(), audit=log))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        refused = await client.get("/api/v1/secrets")
        await client.get("/healthz")
    log.close()
    (shown,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert shown["auditID"] == refused.headers["audit-id"]
    assert shown["user"]["username"] == "system:anonymous"
    assert (shown["verb"], shown["responseStatus"]["code"]) == ("list", 403)
    assert shown["annotations"]["authorization.k8s.io/decision"] == "forbid"


def test_tokens_are_read_from_a_file() -> None:
    found = read_tokens('# comment\nabc,jane,7,"devs,ops"\n\ndef,joe,8\n')
    assert [(t.token, t.user.name, t.user.uid, t.user.groups) for t in found] == [
        ("abc", "jane", "7", ("devs", "ops")),
        ("def", "joe", "8", ()),
    ]


@pytest.mark.parametrize("text", ["abc,jane", ",jane,7", "abc,,7", "abc,jane,7\nabc,joe,8"])
def test_broken_lines_of_a_token_file_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"line [12]"):
        read_tokens(text)
