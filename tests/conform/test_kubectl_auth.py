"""kubectl's verbs about who may do what."""

import json

from tests.conform.conftest import Kubectl
from tests.conform.live import Live

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}]
"""


async def test_whoami_names_user_and_groups(kubectl: Kubectl) -> None:
    lines = (await kubectl("auth", "whoami")).splitlines()
    assert [line.split(None, 1) for line in lines] == [
        ["ATTRIBUTE", "VALUE"],
        ["Username", "root"],
        ["Groups", "[system:masters system:authenticated]"],
    ]


async def test_can_i_answers_with_a_word_and_an_exit_code(kubectl: Kubectl) -> None:
    assert await kubectl("auth", "can-i", "delete", "nodes", "-A") == "yes\n"
    done = await kubectl.run("auth", "can-i", "get", "pods", "--as=jane")
    assert (done.code, done.out, done.err) == (1, "no\n", "")
    made = await kubectl.run("auth", "reconcile", "-f", "-", stdin=ROLE)
    assert (made.code, made.out) == (
        0,
        "role.rbac.authorization.k8s.io/reader reconciled\n"
        "rolebinding.rbac.authorization.k8s.io/reader reconciled\n",
    )
    assert "missing rules added:\n\t\t{Verbs:[get list] APIGroups:[]" in made.err
    assert await kubectl("auth", "can-i", "get", "pods", "--as=jane") == "yes\n"
    again = await kubectl("auth", "reconcile", "-f", "-", stdin=ROLE)
    assert again == made.out, "and nothing on stderr: there was nothing to do"


async def test_can_i_lists_what_roles_grant(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=ROLE)
    listed = await kubectl("auth", "can-i", "--list", "--as=jane", "--as-group=devs")
    rows = [
        [part.strip() for part in line.split("  ") if part.strip()] for line in listed.splitlines()
    ]
    assert rows[0] == ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]
    assert ["pods", "[]", "[]", "[get list]"] in rows
    assert ["selfsubjectreviews.authentication.k8s.io", "[]", "[]", "[create]"] in rows
    assert ["[/healthz]", "[]", "[get]"] in rows
    assert not any(row[0].startswith("secrets") for row in rows)


async def test_a_token_that_kubectl_creates_opens_what_its_account_may(
    kubectl: Kubectl, running: Live
) -> None:
    await kubectl("create", "serviceaccount", "ci")
    await kubectl("create", "role", "look", "--verb=list", "--resource=services")
    await kubectl("create", "rolebinding", "ci", "--role=look", "--serviceaccount=default:ci")
    token = (await kubectl("create", "token", "ci", "--duration=10m")).strip()
    config = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": running.access.server,
                        "certificate-authority": str(running.kubeconfig.parent / "ca.crt"),
                    },
                }
            ],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )
    path = running.kubeconfig.parent / "ci.kubeconfig"
    path.write_text(config)
    env = {"KUBECONFIG": str(path)}
    assert "kubernetes" in await kubectl("get", "services", env=env)
    done = await kubectl.run("get", "pods", env=env)
    assert done.code == 1
    assert done.err == (
        'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:default:ci"'
        ' cannot list resource "pods" in API group "" in the namespace "default"\n'
    )
    assert "system:serviceaccount:default:ci" in await kubectl("auth", "whoami", env=env)


async def test_roles_are_shown_as_upstream_shows_them(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=ROLE)
    shown = (await kubectl("get", "role,rolebinding", "-o", "wide")).splitlines()
    assert shown[0].split() == ["NAME", "CREATED", "AT"]
    assert shown[3].split() == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    described = await kubectl("describe", "role", "reader")
    assert "pods       []                 []              [get list]" in described
    applied = await kubectl("apply", "-f", "-", stdin=ROLE)
    assert applied.count("unchanged") == 2
