"""What conformance asks of the API itself, by the numbers of the suite of 1.36, in our words."""

import itertools
import json
import threading
from typing import Any

import pytest

from tests.conform.controlled import Api

pytestmark = pytest.mark.slow
Json = dict[str, Any]
_NUMBERS = itertools.count()
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.fixture
def space(api: Api) -> str:
    """Path of a namespace of the test's own."""
    return api.namespace(f"am-{next(_NUMBERS)}")


def template(**spec: Any) -> Json:
    whole = {"containers": [{"name": "main", "image": "none:1"}], **spec}
    return {"metadata": {"labels": {"app": "x"}}, "spec": whole}


def controller(name: str = "rc", replicas: int = 2) -> Json:
    spec = {"replicas": replicas, "selector": {"app": "x"}, "template": template()}
    return {"metadata": {"name": name}, "spec": spec}


def deployment(name: str = "web", replicas: int = 1) -> Json:
    selector = {"matchLabels": {"app": "x"}}
    spec = {"replicas": replicas, "selector": selector, "template": template()}
    return {"metadata": {"name": name}, "spec": spec}


def config(name: str, **labels: str) -> Json:
    return {"metadata": {"name": name, "labels": labels}, "data": {"k": "v"}}


def apps(space: str) -> str:
    return space.replace("/api/v1", "/apis/apps/v1")


def items(api: Api, path: str) -> list[Json]:
    found: list[Json] = api("GET", path)["items"]
    return found


# --- documents


@pytest.mark.conformance(24, 26)
def test_aggregated_discovery_has_every_group_and_resource(api: Api) -> None:
    plain = {g["name"] for g in api("GET", "/apis")["groups"]}
    found = api.ask("GET", "/apis", headers={"accept": AGGREGATED})
    assert found.headers["content-type"] == AGGREGATED
    assert {g["metadata"]["name"] for g in found.json()["items"]} == plain
    [core] = api("GET", "/api", headers={"accept": AGGREGATED})["items"]
    resources = {r["resource"] for r in core["versions"][0]["resources"]}
    assert {"pods", "services", "nodes", "configmaps"} <= resources


@pytest.mark.conformance(36)
def test_definitions_are_in_all_three_documents(api: Api) -> None:
    groups = {g["name"]: g for g in api("GET", "/apis")["groups"]}
    versions = [v["groupVersion"] for v in groups["apiextensions.k8s.io"]["versions"]]
    assert "apiextensions.k8s.io/v1" in versions
    group = api("GET", "/apis/apiextensions.k8s.io")
    assert group["preferredVersion"]["version"] == "v1"
    listed = api("GET", "/apis/apiextensions.k8s.io/v1")["resources"]
    assert "customresourcedefinitions" in {r["name"] for r in listed}


@pytest.mark.conformance(47, 48)
def test_every_group_says_its_versions_and_resources(api: Api) -> None:
    for group in api("GET", "/apis")["groups"]:
        versions = {v["groupVersion"] for v in group["versions"]}
        assert group["preferredVersion"]["groupVersion"] in versions
        assert api("GET", f"/apis/{group['name']}")["versions"] == group["versions"]
        for version in versions:
            listed = api("GET", f"/apis/{version}")
            assert listed["groupVersion"] == version
            assert listed["resources"]


@pytest.mark.conformance(98)
def test_the_version_has_numbers(api: Api) -> None:
    found = api("GET", "/version")
    assert found["major"].isdigit()
    assert found["minor"].isdigit()


@pytest.mark.conformance(88)
def test_what_has_no_metadata_is_no_table(api: Api) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    review = {"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert api.ask("POST", path, review, headers={"accept": accept}).status_code == 406


# --- users' kinds and flow control


def definition(group: str, **spec: Any) -> Json:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True}
    names = {"plural": "foos", "kind": "Foo", "singular": "foo", "listKind": "FooList"}
    return {
        "metadata": {"name": f"foos.{group}", "labels": {"of": group}},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
            **spec,
        },
    }


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.mark.conformance(25, 27, 31, 32, 33, 34)
def test_a_definition_comes_is_listed_and_goes(api: Api) -> None:
    group = f"g{next(_NUMBERS)}.example.com"
    api("POST", DEFINITIONS, definition(group))
    path = f"{DEFINITIONS}/foos.{group}"
    api.until(lambda: api.ask("GET", f"/apis/{group}/v1").is_success)
    found = api("GET", "/apis", headers={"accept": AGGREGATED})
    assert group in {g["metadata"]["name"] for g in found["items"]}
    condition = {"type": "Mine", "status": "True", "reason": "r", "message": "m"}
    now = api("GET", f"{path}/status")
    now["status"]["conditions"].append(condition)
    states = api("PUT", f"{path}/status", now)["status"]["conditions"]
    assert "Mine" in {c["type"] for c in states}
    listed = api("GET", DEFINITIONS, params={"labelSelector": f"of={group}"})["items"]
    assert len(listed) == 1
    revision = api("GET", path)["metadata"]["resourceVersion"]
    api("DELETE", DEFINITIONS, params={"labelSelector": f"of={group}"})
    seen = api.watch(DEFINITIONS, 2, resourceVersion=revision, labelSelector=f"of={group}")
    assert seen[-1]["type"] in {"MODIFIED", "DELETED"}
    api.until(lambda: api.gone(path) and api.gone(f"/apis/{group}/v1"))


def full_verbs(api: Api, path: str, body: Json, change: Json, *, status: bool = True) -> None:
    """Create, get, list, watch, patch, update, the same of status, delete, deletecollection."""
    name = body["metadata"]["name"]
    label = {"labelSelector": f"run={name}"}
    body["metadata"]["labels"] = {"run": name}
    made = api("POST", path, body)
    one = f"{path}/{name}"
    assert api("GET", one)["metadata"]["uid"] == made["metadata"]["uid"]
    assert len(api("GET", path, params=label)["items"]) == 1
    start = made["metadata"]["resourceVersion"]
    assert api.patch(one, {"metadata": {"annotations": {"patched": "true"}}})
    [event] = api.watch(path, 1, resourceVersion=start, **label)
    assert (event["type"], event["object"]["metadata"]["annotations"]) == (
        "MODIFIED",
        {"patched": "true"},
    )
    whole = api("GET", one)
    for key, value in change.items():
        whole["spec"][key] = value
    changed = api("PUT", one, whole)
    assert {k: changed["spec"][k] for k in change} == change
    if status:
        states = {"conditions": [{"type": "Seen", "status": "True", "reason": "r", "message": "m"}]}
        states["conditions"][0]["lastTransitionTime"] = "2024-01-01T00:00:00Z"
        assert api.patch(f"{one}/status", {"status": states})["status"]["conditions"]
        assert api("GET", f"{one}/status")["status"]["conditions"][0]["type"] == "Seen"
    api("DELETE", one)
    api.until(lambda: api.gone(one))
    api("POST", path, body)
    api("DELETE", path, params=label)
    api.until(lambda: api("GET", path, params=label)["items"] == [])


@pytest.mark.conformance(0, 1)
def test_objects_of_flow_control_have_all_verbs(api: Api) -> None:
    path = "/apis/flowcontrol.apiserver.k8s.io/v1"
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "u"}}],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["*"]}],
    }
    level = {"name": "non-existing"}
    spec = {"matchingPrecedence": 100, "priorityLevelConfiguration": level, "rules": [rule]}
    flow = {"metadata": {"name": "f"}, "spec": spec}
    full_verbs(api, f"{path}/flowschemas", flow, {"matchingPrecedence": 99})
    limited = {"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}}
    body = {"metadata": {"name": "l"}, "spec": {"type": "Limited", "limited": limited}}
    wanted = {"limited": {**limited, "nominalConcurrencyShares": 4, "lendablePercent": 0}}
    full_verbs(api, f"{path}/prioritylevelconfigurations", body, wanted)


MATCH = {
    "resourceRules": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["deployments"],
        }
    ]
}


@pytest.mark.conformance(65, 66, 90, 91)
def test_objects_of_policies_have_all_verbs(api: Api) -> None:
    path = "/apis/admissionregistration.k8s.io/v1"
    rules = [{"expression": "true"}]
    body = {"metadata": {"name": "v"}, "spec": {"matchConstraints": MATCH, "validations": rules}}
    change = {"validations": [{"expression": "1 == 1"}]}
    full_verbs(api, f"{path}/validatingadmissionpolicies", body, change)
    binding = {
        "metadata": {"name": "b"},
        "spec": {"policyName": "v", "validationActions": ["Deny"]},
    }
    place = f"{path}/validatingadmissionpolicybindings"
    full_verbs(api, place, binding, {"policyName": "w"}, status=False)
    patch = {"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}
    spec = {"matchConstraints": MATCH, "mutations": [patch], "reinvocationPolicy": "Never"}
    body = {"metadata": {"name": "m"}, "spec": spec}
    place = f"{path}/mutatingadmissionpolicies"
    full_verbs(api, place, body, {"failurePolicy": "Ignore"}, status=False)
    binding = {"metadata": {"name": "c"}, "spec": {"policyName": "m"}}
    place = f"{path}/mutatingadmissionpolicybindings"
    full_verbs(api, place, binding, {"policyName": "n"}, status=False)


@pytest.mark.conformance(63, 64, 89, 92)
def test_policies_refuse_and_change_deployments(api: Api) -> None:
    name = f"am-{next(_NUMBERS)}"
    space = apps(api.namespace(name, marked=name))
    path = "/apis/admissionregistration.k8s.io/v1"
    here = {**MATCH, "namespaceSelector": {"matchLabels": {"marked": name}}}
    spec = {
        "matchConstraints": here,
        "variables": [{"name": "replicas", "expression": "object.spec.replicas"}],
        "validations": [{"expression": "variables.replicas > 1"}],
    }
    api("POST", f"{path}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    bound = {"policyName": name, "validationActions": ["Deny"]}
    place = f"{path}/validatingadmissionpolicybindings"
    api("POST", place, {"metadata": {"name": name}, "spec": bound})
    text = "Object{metadata: Object.metadata{annotations: {'my-key': 'my-value'}}}"
    change = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": text}}
    spec = {"matchConstraints": here, "mutations": [change], "reinvocationPolicy": "Never"}
    api("POST", f"{path}/mutatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    place = f"{path}/mutatingadmissionpolicybindings"
    api("POST", place, {"metadata": {"name": name}, "spec": {"policyName": name}})
    refused = api.ask("POST", f"{space}/deployments", deployment(replicas=1))
    assert refused.status_code == 422
    assert "failed expression: variables.replicas > 1" in refused.json()["message"]
    made = api("POST", f"{space}/deployments", deployment(replicas=2))
    assert made["metadata"]["annotations"] == {"my-key": "my-value"}


@pytest.mark.conformance(21, 22)
@pytest.mark.parametrize("which", ["mutating", "validating"])
def test_a_webhook_with_a_condition_that_is_none_is_refused(api: Api, which: str) -> None:
    hook = {
        "name": "a.example.com",
        "clientConfig": {"url": "https://example.com/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "matchConditions": [{"name": "bad", "expression": "... [] bad expression"}],
    }
    path = f"/apis/admissionregistration.k8s.io/v1/{which}webhookconfigurations"
    answer = api.ask("POST", path, {"metadata": {"name": "bad"}, "webhooks": [hook]})
    assert answer.status_code == 422
    assert "compilation failed" in answer.json()["message"]


# --- bodies


@pytest.mark.conformance(53, 55)
def test_strict_validation_names_every_field(api: Api, space: str) -> None:
    raw = json.dumps(deployment())
    raw = raw.replace('"replicas": 1', '"unknown1": 1, "replicas": 1, "replicas": 2')
    raw = raw.replace('"name": "web"', '"name": "web", "unknownMeta": "x"')
    answer = api.http.post(
        f"{apps(space)}/deployments?fieldValidation=Strict",
        content=raw,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 400
    told = answer.json()["message"]
    for part in ('unknown field "spec.unknown1"', 'duplicate field "spec.replicas"'):
        assert part in told
    assert 'unknown field "metadata.unknownMeta"' in told


# --- garbage


def owned(api: Api, space: str) -> list[Json]:
    return items(api, f"{space}/pods")


@pytest.mark.conformance(57)
def test_pods_go_after_their_controller(api: Api, space: str) -> None:
    api("POST", f"{space}/replicationcontrollers", controller())
    api.until(lambda: len(owned(api, space)) == 2)
    options = {"propagationPolicy": "Background"}
    api("DELETE", f"{space}/replicationcontrollers/rc", options)
    api.until(lambda: owned(api, space) == [])


@pytest.mark.conformance(58)
def test_a_controller_waits_for_its_pods_in_the_foreground(api: Api, space: str) -> None:
    api("POST", f"{space}/replicationcontrollers", controller())
    pods = api.until(lambda: found if len(found := owned(api, space)) == 2 else None)
    held = f"{space}/pods/{pods[0]['metadata']['name']}"
    api.patch(held, {"metadata": {"finalizers": ["example.com/held"]}})
    path = f"{space}/replicationcontrollers/rc"
    api("DELETE", path, {"propagationPolicy": "Foreground"})
    api.until(lambda: len(owned(api, space)) == 1)
    waiting = api("GET", path)["metadata"]
    assert waiting["deletionTimestamp"]
    assert waiting["finalizers"] == ["foregroundDeletion"]
    api.patch(held, {"metadata": {"finalizers": None}})
    api.until(lambda: api.gone(path))


@pytest.mark.conformance(62)
def test_pods_stay_where_they_are_to_be_orphaned(api: Api, space: str) -> None:
    api("POST", f"{space}/replicationcontrollers", controller())
    api.until(lambda: len(owned(api, space)) == 2)
    api("DELETE", f"{space}/replicationcontrollers/rc", {"propagationPolicy": "Orphan"})
    api.until(lambda: api.gone(f"{space}/replicationcontrollers/rc"))
    left = owned(api, space)
    assert [p["metadata"].get("ownerReferences") for p in left] == [None, None]


@pytest.mark.conformance(56, 61)
@pytest.mark.parametrize("policy", ["Background", "Orphan"])
def test_a_deployments_replica_set(api: Api, space: str, policy: str) -> None:
    path = f"{apps(space)}/deployments/web"
    api("POST", f"{apps(space)}/deployments", deployment())
    sets = f"{apps(space)}/replicasets"
    api.until(lambda: items(api, sets))
    api("DELETE", path, {"propagationPolicy": policy})
    api.until(lambda: api.gone(path))
    if policy == "Background":
        api.until(lambda: items(api, sets) == [])
    else:
        [left] = items(api, sets)
        assert "ownerReferences" not in left["metadata"]


def pod(name: str, *owners: Json) -> Json:
    refs = [
        {
            "apiVersion": "v1",
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
        for owner in owners
    ]
    meta = {"name": name, "ownerReferences": refs, "labels": {"of": "test"}}
    return {"metadata": meta, "spec": template()["spec"]}


@pytest.mark.conformance(59)
def test_a_circle_of_owners_is_collected(api: Api, space: str) -> None:
    pods = f"{space}/pods"
    made = [api("POST", pods, pod(f"pod{n}")) for n in range(3)]
    for n, one in enumerate(made):
        owner = {**made[(n + 2) % 3], "kind": "Pod"}
        refs = pod("x", owner)["metadata"]["ownerReferences"]
        api.patch(f"{pods}/{one['metadata']['name']}", {"metadata": {"ownerReferences": refs}})
    api("DELETE", f"{pods}/pod0", {"propagationPolicy": "Foreground"})
    api.until(lambda: owned(api, space) == [])


@pytest.mark.conformance(60)
def test_who_has_another_owner_stays(api: Api, space: str) -> None:
    path = f"{space}/replicationcontrollers"
    first = api("POST", path, controller("first", replicas=2))
    spare = controller("other", replicas=0)
    spare["spec"]["selector"] = spare["spec"]["template"]["metadata"]["labels"] = {"app": "y"}
    other = {**api("POST", path, spare), "kind": "ReplicationController"}
    pods = api.until(lambda: found if len(found := owned(api, space)) == 2 else None)
    both = pods[0]["metadata"]
    refs = [
        *both["ownerReferences"],
        *pod("x", {**other, "kind": "ReplicationController"})["metadata"]["ownerReferences"],
    ]
    api.patch(f"{space}/pods/{both['name']}", {"metadata": {"ownerReferences": refs}})
    api("DELETE", f"{path}/first", {"propagationPolicy": "Foreground"})
    api.until(lambda: api.gone(f"{path}/first"))
    [left] = api.until(lambda: found if len(found := owned(api, space)) == 1 else None)
    assert left["metadata"]["name"] == both["name"]
    assert first["metadata"]["uid"] not in {r["uid"] for r in left["metadata"]["ownerReferences"]}


# --- namespaces


@pytest.mark.conformance(67, 68, 69, 72)
def test_a_namespace_is_changed_in_all_ways(api: Api) -> None:
    name = f"am-{next(_NUMBERS)}"
    path = api.namespace(name)
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}})["metadata"]["labels"]["a"] == "b"
    whole = api("GET", path)
    whole["metadata"]["labels"]["c"] = "d"
    assert api("PUT", path, whole)["metadata"]["labels"]["c"] == "d"
    assert api("GET", f"{path}/status")["status"]["phase"] == "Active"
    state = {"type": "Mine", "status": "True", "reason": "r", "message": "m"}
    assert api.patch(f"{path}/status", {"status": {"conditions": [state]}})["status"]["conditions"]
    whole = api("GET", path)
    whole["status"]["conditions"][0]["reason"] = "other"
    assert api("PUT", f"{path}/status", whole)["status"]["conditions"][0]["reason"] == "other"
    whole = api("GET", path)
    whole["spec"]["finalizers"].append("example.com/mine")
    finalizers = api("PUT", f"{path}/finalize", whole)["spec"]["finalizers"]
    assert finalizers == ["kubernetes", "example.com/mine"]
    whole = api("GET", path)
    whole["spec"]["finalizers"].remove("example.com/mine")
    assert api("PUT", f"{path}/finalize", whole)["spec"]["finalizers"] == ["kubernetes"]
    api("DELETE", path)
    api.until(lambda: api.gone(path))


@pytest.mark.conformance(70, 71)
def test_a_namespace_takes_its_pods_and_services_along(api: Api) -> None:
    name = f"am-{next(_NUMBERS)}"
    path = api.namespace(name)
    api("POST", f"{path}/pods", pod("web"))
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    api("POST", f"{path}/services", service)
    api("DELETE", path)
    api.until(lambda: api.gone(path))
    path = api.namespace(name)
    assert items(api, f"{path}/pods") == items(api, f"{path}/services") == []


@pytest.mark.conformance(73)
def test_pods_of_a_namespace_go_first(api: Api) -> None:
    path = api.namespace(f"am-{next(_NUMBERS)}")
    held = pod("held")
    held["metadata"]["finalizers"] = ["example.com/held"]
    api("POST", f"{path}/pods", held)
    api("POST", f"{path}/configmaps", config("kept"))
    api("DELETE", path)
    api.until(lambda: "deletionTimestamp" in api("GET", f"{path}/pods/held")["metadata"])
    api.until(
        lambda: (
            {c["type"] for c in api("GET", path)["status"].get("conditions", [])}
            & {"NamespaceContentRemaining", "NamespaceFinalizersRemaining"}
        )
    )
    assert api("GET", f"{path}/configmaps/kept")
    api.patch(f"{path}/pods/held", {"metadata": {"finalizers": None}})
    api.until(lambda: api.gone(path))


# --- quotas


def quota(api: Api, space: str, hard: Json, **spec: Any) -> str:
    body = {"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}}
    api("POST", f"{space}/resourcequotas", body)
    path = f"{space}/resourcequotas/q"
    api.until(lambda: api("GET", path)["status"].get("hard") == hard)
    return path


def used(api: Api, path: str, name: str) -> str:
    return str(api("GET", path)["status"]["used"][name])


@pytest.mark.conformance(82)
def test_a_quota_is_worked_out_promptly(api: Api, space: str) -> None:
    path = quota(api, space, {"pods": "3", "configmaps": "9"})
    assert set(api("GET", path)["status"]["used"]) == {"pods", "configmaps"}


COUNTED = {
    "configmaps": (76, config("x")),
    "secrets": (80, {"metadata": {"name": "x"}, "data": {"k": "dg=="}}),
    "replicationcontrollers": (79, controller("x", 0)),
    "services": (81, {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}]}}),
}


@pytest.mark.conformance(76, 79, 80, 81)
@pytest.mark.parametrize("plural", COUNTED)
def test_a_quota_counts_while_things_live(api: Api, space: str, plural: str) -> None:
    path = quota(api, space, {plural: "9"})
    before = used(api, path, plural)
    api("POST", f"{space}/{plural}", COUNTED[plural][1])
    api.until(lambda: int(used(api, path, plural)) == int(before) + 1)
    api("DELETE", f"{space}/{plural}/x")
    api.until(lambda: used(api, path, plural) == before)


@pytest.mark.conformance(78)
def test_a_quota_counts_replica_sets(api: Api, space: str) -> None:
    name = "count/replicasets.apps"
    path = quota(api, space, {name: "1"})
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": template()}
    sets = f"{apps(space)}/replicasets"
    api("POST", sets, {"metadata": {"name": "x"}, "spec": spec})
    api.until(lambda: used(api, path, name) == "1")
    assert api.ask("POST", sets, {"metadata": {"name": "y"}, "spec": spec}).status_code == 403
    api("DELETE", f"{sets}/x")
    api.until(lambda: used(api, path, name) == "0")


@pytest.mark.conformance(81)
def test_a_quota_counts_services_by_type(api: Api, space: str) -> None:
    path = quota(api, space, {"services.nodeports": "1", "services.loadbalancers": "0"})
    spec = {"ports": [{"port": 80}], "type": "NodePort"}
    api("POST", f"{space}/services", {"metadata": {"name": "x"}, "spec": spec})
    for kind in ("NodePort", "LoadBalancer"):
        body = {"metadata": {"name": "y"}, "spec": {**spec, "type": kind}}
        answer = api.ask("POST", f"{space}/services", body)
        assert (answer.status_code, "exceeded quota" in answer.json()["message"]) == (403, True)
    api.until(lambda: used(api, path, "services.nodeports") == "1")


@pytest.mark.conformance(77)
def test_a_quota_holds_pods_to_their_requests(api: Api, space: str) -> None:
    path = quota(api, space, {"pods": "5", "requests.cpu": "1"})
    body = pod("x")
    body["spec"] = template()["spec"]
    body["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "600m"}}
    api("POST", f"{space}/pods", body)
    api.until(lambda: used(api, path, "requests.cpu") == "600m")
    body["metadata"]["name"] = "y"
    answer = api.ask("POST", f"{space}/pods", body)
    assert (answer.status_code, "exceeded quota: q" in answer.json()["message"]) == (403, True)
    api.patch(f"{space}/pods/x", {"metadata": {"labels": {"a": "b"}}})
    assert used(api, path, "requests.cpu") == "600m"
    api("DELETE", f"{space}/pods/x")
    api.until(lambda: used(api, path, "requests.cpu") == "0")


@pytest.mark.conformance(84, 85)
@pytest.mark.parametrize(
    ("scope", "spec"),
    [
        ("BestEffort", {}),
        ("NotBestEffort", {"resources": {"requests": {"cpu": "1m"}}}),
        ("Terminating", {"activeDeadlineSeconds": 60}),
        ("NotTerminating", {}),
    ],
)
def test_a_quota_with_a_scope_counts_pods_of_it(
    api: Api, space: str, scope: str, spec: Json
) -> None:
    path = quota(api, space, {"pods": "5"}, scopes=[scope])
    body = pod("in")
    inner = dict(spec)
    if "resources" in inner:
        body["spec"]["containers"] = [{**body["spec"]["containers"][0], **inner}]
    else:
        body["spec"] = {**body["spec"], **inner}
    api("POST", f"{space}/pods", body)
    api.until(lambda: used(api, path, "pods") == "1")
    other = {
        "BestEffort": {
            "containers": [{"name": "a", "image": "i", "resources": {"requests": {"cpu": "1m"}}}]
        },
        "NotTerminating": {"activeDeadlineSeconds": 60},
    }.get(scope, {})
    out = pod("out")
    out["spec"] = {**out["spec"], **other}
    api("POST", f"{space}/pods", out)
    api.patch(path, {"metadata": {"labels": {"looked": "again"}}})
    assert used(api, path, "pods") == "1"


@pytest.mark.conformance(74, 75, 83)
def test_a_quota_is_changed_listed_and_deleted(api: Api, space: str) -> None:
    path = quota(api, space, {"pods": "1"})
    whole = api("GET", path)
    whole["spec"]["hard"] = {"pods": "2"}
    api("PUT", path, whole)
    api.until(lambda: api("GET", path)["status"]["hard"] == {"pods": "2"})
    name = space.rsplit("/", 1)[1]
    api.patch(path, {"metadata": {"labels": {"of": name}}})
    every = api("GET", "/api/v1/resourcequotas", params={"labelSelector": f"of={name}"})
    assert len(every["items"]) == 1
    status = api.patch(f"{path}/status", {"status": {"hard": {"pods": "7"}}})["status"]
    assert status["hard"] == {"pods": "7"}
    api("DELETE", f"{space}/resourcequotas", params={"labelSelector": f"of={name}"})
    api.until(lambda: api.gone(path))


# --- lists and watches


@pytest.mark.conformance(86)
def test_lists_come_in_chunks_of_one_revision(api: Api, space: str) -> None:
    path = f"{space}/podtemplates"
    for n in range(20):
        api("POST", path, {"metadata": {"name": f"t{n:02}"}, "template": template()})
    token, seen, revisions, remaining = "", [], set(), []
    while True:
        page = api("GET", path, params={"limit": "7", "continue": token})
        seen += [i["metadata"]["name"] for i in page["items"]]
        revisions.add(page["metadata"]["resourceVersion"])
        remaining.append(page["metadata"].get("remainingItemCount"))
        if not (token := page["metadata"].get("continue", "")):
            break
        api("POST", path, {"metadata": {"name": f"later{len(seen)}"}, "template": template()})
    assert seen == [f"t{n:02}" for n in range(20)]
    assert (len(revisions), remaining) == (1, [13, 6, None])


@pytest.mark.conformance(93, 94, 95, 96)
def test_watches_see_what_their_selector_lets_through(api: Api, space: str) -> None:
    path = f"{space}/configmaps"
    start = api("GET", path)["metadata"]["resourceVersion"]
    one = f"{path}/x"
    api("POST", path, config("x", watch="a"))
    api("POST", path, config("other", watch="b"))
    changed = api.patch(one, {"data": {"k": "w"}})
    api.patch(one, {"metadata": {"labels": {"watch": "none"}}})
    api.patch(one, {"data": {"k": "unseen"}})
    api.patch(one, {"metadata": {"labels": {"watch": "a"}}})
    api("DELETE", one)
    query = {"labelSelector": "watch=a"}
    seen = api.watch(path, 5, resourceVersion=start, **query)
    kinds = ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    assert [e["type"] for e in seen] == kinds
    assert {e["object"]["metadata"]["name"] for e in seen} == {"x"}
    later = api.watch(path, 3, resourceVersion=changed["metadata"]["resourceVersion"], **query)
    assert [e["type"] for e in later] == kinds[2:]
    last = later[0]["object"]["metadata"]["resourceVersion"]
    again = api.watch(path, 2, resourceVersion=last, **query)
    assert [e["type"] for e in again] == kinds[3:]


@pytest.mark.conformance(97)
def test_watches_at_once_see_one_order(api: Api, space: str) -> None:
    path = f"{space}/configmaps"
    start = api("GET", path)["metadata"]["resourceVersion"]
    seen: list[list[str]] = []

    def follow() -> None:
        events = api.watch(path, 30, resourceVersion=start, labelSelector="of=order")
        seen.append([e["object"]["metadata"]["resourceVersion"] for e in events])

    threads = [threading.Thread(target=follow) for _ in range(5)]
    for thread in threads:
        thread.start()
    for n in range(10):
        api("POST", path, config(f"c{n}", of="order"))
        api.patch(f"{path}/c{n}", {"data": {"n": str(n)}})
        api("DELETE", f"{path}/c{n}")
    for thread in threads:
        thread.join(30)
    assert len(seen) == 5
    assert all(one == seen[0] for one in seen)
    assert [int(r) for r in seen[0]] == sorted(int(r) for r in seen[0])
