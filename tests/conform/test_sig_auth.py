"""What conformance asks of accounts and rights, by the numbers of the suite of 1.36."""

import itertools

import pytest

from tests.conform.controlled import Api

pytestmark = pytest.mark.slow
_NUMBERS = itertools.count()
AUTHZ = "/apis/authorization.k8s.io/v1"


@pytest.fixture
def space(api: Api) -> str:
    return api.namespace(f"auth-{next(_NUMBERS)}")


@pytest.mark.conformance(163)
def test_a_requested_token_passes_review(api: Api, space: str) -> None:
    name = space.rsplit("/", 1)[1]
    token = api("POST", f"{space}/serviceaccounts/default/token", {"spec": {}})["status"]["token"]
    review = {"spec": {"token": token}}
    found = api("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
    assert found["authenticated"] is True
    assert found["user"]["username"] == f"system:serviceaccount:{name}:default"
    review = {"spec": {"token": token[:-4] + "AAAA"}}
    found = api("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
    assert not found.get("authenticated")


@pytest.mark.conformance(164)
def test_every_namespace_has_the_authoritys_certificate(api: Api, space: str) -> None:
    path = f"{space}/configmaps/kube-root-ca.crt"
    api.until(lambda: api.ask("GET", path).is_success)
    whole = api("GET", path)["data"]
    assert "BEGIN CERTIFICATE" in whole["ca.crt"]
    api("DELETE", path)
    api.until(lambda: api.ask("GET", path).is_success)
    api.patch(path, {"data": {"ca.crt": ""}})
    api.until(lambda: api("GET", path)["data"] == whole)


@pytest.mark.conformance(167, 168)
def test_the_life_of_an_account(api: Api, space: str) -> None:
    path = f"{space}/serviceaccounts"
    label = {"labelSelector": f"of={space.rsplit('/', 1)[1]}"}
    labels = {"of": space.rsplit("/", 1)[1]}
    made = api("POST", path, {"metadata": {"name": "robot", "labels": labels}})
    start = made["metadata"]["resourceVersion"]
    api.patch(f"{path}/robot", {"metadata": {"annotations": {"patched": "true"}}})
    whole = api("GET", f"{path}/robot")
    whole["automountServiceAccountToken"] = True
    assert api("PUT", f"{path}/robot", whole)["automountServiceAccountToken"] is True
    every = api("GET", "/api/v1/serviceaccounts", params=label)["items"]
    assert [a["metadata"]["name"] for a in every] == ["robot"]
    api("DELETE", path, params=label)
    seen = api.watch(path, 3, resourceVersion=start, **label)
    assert [e["type"] for e in seen] == ["MODIFIED", "MODIFIED", "DELETED"]


@pytest.mark.conformance(169)
def test_reviews_say_what_an_impersonated_request_gets(api: Api, space: str) -> None:
    name = space.rsplit("/", 1)[1]
    user = f"system:serviceaccount:{name}:default"
    spec = {
        "user": user,
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{name}"],
        "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": name},
    }
    local = f"{AUTHZ}/namespaces/{name}/localsubjectaccessreviews"
    as_account = {"Impersonate-User": user}

    def verdicts() -> set[bool]:
        asked = api.ask("GET", f"{space}/pods/none", headers=as_account).status_code
        body = {"metadata": {"namespace": name}, "spec": spec}
        return {
            api("POST", f"{AUTHZ}/subjectaccessreviews", {"spec": spec})["status"]["allowed"],
            api("POST", local, body)["status"]["allowed"],
            asked != 403,
        }

    assert verdicts() == {False}
    role = {"kind": "ClusterRole", "name": "view", "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": name}
    binding = {"metadata": {"name": "view"}, "roleRef": role, "subjects": [subject]}
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings"
    api("POST", path, binding)
    assert verdicts() == {True}


@pytest.mark.conformance(162)
def test_a_token_is_mounted_unless_account_or_pod_say_no(api: Api, space: str) -> None:
    spec = {"containers": [{"name": "main", "image": "none:1"}]}
    for account in (None, True, False):
        name = f"a-{account}".lower()
        body = {"metadata": {"name": name}}
        if account is not None:
            body["automountServiceAccountToken"] = account
        api("POST", f"{space}/serviceaccounts", body)
        for pod in (None, True, False):
            mine = {**spec, "serviceAccountName": name}
            if pod is not None:
                mine["automountServiceAccountToken"] = pod
            meta = {"name": f"{name}-{pod}".lower()}
            made = api("POST", f"{space}/pods", {"metadata": meta, "spec": mine})["spec"]
            mounts = made["containers"][0].get("volumeMounts", [])
            wanted = pod if pod is not None else account is not False
            assert bool(mounts) == wanted, (account, pod)
