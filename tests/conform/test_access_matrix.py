"""Nothing is allowed that roles do not grant: identities by verbs by resources, over HTTPS.

What should be allowed is worked out here a second time, in the plainest way, from the roles and
bindings as the API shows them; for nodes from a short list. Then everything is tried for real.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.api.kinds.table import KINDS
from appliance.client.kubeconfig import Access
from appliance.control.access.tokens.accounts import ISSUER
from appliance.control.access.tokens.claims import Bound, Claims, Ref
from appliance.kit.clock import SystemClock
from appliance.kit.jws import SigningKey
from appliance.kit.pki import new_key_pem
from tests.conform.live import Live, live

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATHS = (
    *("/", "/api", "/apis", "/apis/apps/v1", "/healthz", "/livez", "/readyz", "/readyz/ping"),
    *("/version", "/metrics", "/openapi/v2", "/openapi/v3", "/nosuch"),
    *("/.well-known/openid-configuration", "/openid/v1/jwks"),
)
NODE_MAY = {
    *((verb, "", "services") for verb in ("get", "list", "watch")),
    *((verb, "", "endpoints") for verb in ("get", "list", "watch")),
    *((verb, "discovery.k8s.io", "endpointslices") for verb in ("get", "list", "watch")),
    *((verb, "node.k8s.io", "runtimeclasses") for verb in ("get", "list", "watch")),
    *((verb, "", "nodes") for verb in ("get", "list", "watch", "create")),
    *((verb, "", "pods") for verb in ("create", "delete")),
    *((verb, "", "pods/status") for verb in ("get", "update", "patch")),
    *((verb, "", "events") for verb in ("create", "update", "patch")),
    *((verb, "networking.k8s.io", "networkpolicies") for verb in ("list", "watch")),
    ("get", "", "nodes/status"),
    ("create", "", "pods/eviction"),
}
"""On objects called x that no pod of the node names, and without a selector; a node that is
called otherwise. What it does to pods and nodes of others is refused once more at admission."""


@dataclass
class Who:
    """An identity and its credentials."""

    name: str
    groups: tuple[str, ...]
    client: httpx.AsyncClient
    extra: set[tuple[str, str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Try:
    """One request, and the question that it is."""

    verb: str
    method: str
    url: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    body: str = "{}"


@asynccontextmanager
async def client_of(
    running: Live, access: Access, token: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.create_default_context(cadata=running.access.ca_pem.decode())
    if access.cert_pem and not token:
        cert = running.kubeconfig.parent / "matrix.pem"
        cert.write_bytes(access.cert_pem + access.key_pem)
        context.load_cert_chain(cert)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(
        base_url=running.access.server, verify=context, headers=headers, trust_env=False
    ) as client:
        yield client


async def post(client: httpx.AsyncClient, path: str, obj: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=obj)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def furnish(admin: httpx.AsyncClient) -> None:
    """Two namespaces; in one of them an administrator and an account that may view."""
    for name in ("shop", "bank"):
        await post(admin, "/api/v1/namespaces", {"metadata": {"name": name}})
        account = {"metadata": {"name": "robot"}}
        await post(admin, f"/api/v1/namespaces/{name}/serviceaccounts", account)
    robot = {"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}
    for role, subject in (
        ("view", robot),
        ("admin", {"kind": "User", "name": "shopkeeper"}),
    ):
        binding = {
            "metadata": {"name": role},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
        await post(admin, f"{RBAC}/namespaces/shop/rolebindings", binding)
    named = {
        "metadata": {"name": "named"},
        "rules": [
            {
                "verbs": ["get", "update"],
                "apiGroups": [""],
                "resources": ["configmaps", "pods/log"],
                "resourceNames": ["x"],
            }
        ],
    }
    await post(admin, f"{RBAC}/namespaces/bank/roles", named)
    binding = {
        "metadata": {"name": "named"},
        "roleRef": {"kind": "Role", "name": "named"},
        "subjects": [robot],
    }
    await post(admin, f"{RBAC}/namespaces/bank/rolebindings", binding)
    binding = {
        "metadata": {"name": "owner"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "owner"}],
    }
    await post(admin, f"{RBAC}/clusterrolebindings", binding)
    # the aggregated roles, as the controller would write them
    for whole, parts in (("view", ["view"]), ("admin", ["view", "edit", "admin"])):
        rules = []
        for part in parts:
            role = (await admin.get(f"{RBAC}/clusterroles/system:aggregate-to-{part}")).json()
            rules += role["rules"]
        answer = await admin.patch(
            f"{RBAC}/clusterroles/{whole}",
            content=json.dumps({"rules": rules}),
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.status_code == 200, answer.text


class Oracle:
    """Roles and bindings, read as anybody would read them."""

    def __init__(self, objects: dict[str, list[dict[str, Any]]]) -> None:
        self._objects = objects

    @classmethod
    async def of(cls, admin: httpx.AsyncClient) -> "Oracle":
        plurals = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
        return cls({p: (await admin.get(f"{RBAC}/{p}")).json()["items"] for p in plurals})

    def allows(self, who: Who, asked: Try) -> bool:
        for binding in self._objects["clusterrolebindings"]:
            if names(binding, who) and self._grants(binding, "", asked):
                return True
        for binding in self._objects["rolebindings"]:
            place = binding["metadata"]["namespace"]
            here = asked.resource and place == asked.namespace
            if here and names(binding, who) and self._grants(binding, place, asked):
                return True
        return False

    def _grants(self, binding: dict[str, Any], place: str, asked: Try) -> bool:
        ref = binding["roleRef"]
        for role in self._objects["roles" if ref["kind"] == "Role" else "clusterroles"]:
            meta = role["metadata"]
            if meta["name"] != ref["name"]:
                continue
            if ref["kind"] == "Role" and meta["namespace"] != place:
                continue
            return any(fits(rule, asked) for rule in role["rules"] or ())
        return False


def names(binding: dict[str, Any], who: Who) -> bool:
    for subject in binding.get("subjects") or ():
        kind, name = subject["kind"], subject["name"]
        if kind == "ServiceAccount":
            place = subject.get("namespace") or binding["metadata"]["namespace"]
            if who.name == f"system:serviceaccount:{place}:{name}":
                return True
        elif name == who.name if kind == "User" else name in who.groups:
            return True
    return False


def fits(rule: dict[str, Any], asked: Try) -> bool:
    if not {"*", asked.verb} & set(rule["verbs"]):
        return False
    if not asked.resource:
        path = asked.url.partition("?")[0]
        return any(
            p == path or (p.endswith("*") and path.startswith(p[:-1]))
            for p in rule.get("nonResourceURLs") or ()
        )
    resources = {"*", asked.resource}
    if "/" in asked.resource:
        resources.add("*/" + asked.resource.split("/")[1])
    return (
        bool({"*", asked.group} & set(rule.get("apiGroups") or ()))
        and bool(resources & set(rule.get("resources") or ()))
        and (not rule.get("resourceNames") or asked.name in rule["resourceNames"])
    )


METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
QUERY = {
    "create": "?dryRun=All",
    "update": "?dryRun=All",
    "patch": "?dryRun=All",
    "delete": "?dryRun=All",
    "deletecollection": "?dryRun=All",
    "watch": "?watch=1&resourceVersion=none",  # refused behind the door, so that no stream opens
}


def tries() -> Iterator[Try]:
    for path in PATHS:
        yield Try("get", "GET", path)
        yield Try("post", "POST", path)
    for kind in KINDS:
        for place in ("shop", "bank", "") if kind.namespaced else ("",):
            for verb in kind.verbs:
                name = "" if verb in {"list", "watch", "create", "deletecollection"} else "x"
                if not place and kind.namespaced and verb not in {"list", "watch"}:
                    continue  # there is no such URL
                yield Try(
                    verb,
                    METHODS[verb],
                    kind.path(place, name) + QUERY.get(verb, ""),
                    kind.group,
                    kind.plural,
                    ("x" if kind.plural == "namespaces" and name else place),
                    name,
                )
            for sub in kind.subresources:
                if place or not kind.namespaced:
                    yield from sub_tries(kind, place, sub.name, sub.verbs)
    for group, plural in (
        ("authorization.k8s.io", "subjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "tokenreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    ):
        yield Try("create", "POST", f"/apis/{group}/v1/{plural}", group, plural)


def sub_tries(kind: Any, place: str, sub: str, verbs: tuple[str, ...]) -> Iterator[Try]:
    for verb in verbs:
        url = kind.path(place, "x", sub) + QUERY.get(verb, "")
        space = "x" if kind.plural == "namespaces" else place
        full = f"{kind.plural}/{sub}"
        yield Try(verb, METHODS[verb], url, kind.group, full, space, "x")


async def is_let_in(who: Who, asked: Try) -> bool:
    """Whether authorisation lets it through; what comes of it then is not asked here."""
    headers = {"Content-Type": "application/json"}
    if asked.method == "PATCH":
        headers["Content-Type"] = "application/merge-patch+json"
    body = None if asked.method in {"GET", "DELETE"} else asked.body
    answer = await who.client.request(asked.method, asked.url, content=body, headers=headers)
    assert answer.status_code != 401, (who.name, asked)
    if answer.status_code != 403:
        return True
    return f'User "{who.name}" cannot {asked.verb} ' not in answer.json()["message"]


async def test_everybody_may_do_just_what_roles_grant(tmp_path: Path) -> None:
    everybody = "system:authenticated"
    async with (
        live(tmp_path) as running,
        client_of(running, running.access) as admin,
        client_of(running, Access(server="", ca_pem=b"")) as anonymous,
        client_of(running, running.access_of("system:node:n1", "system:nodes")) as node,
        client_of(running, running.access_of("shopkeeper")) as keeper,
        client_of(running, running.access_of("owner")) as owner,
        client_of(running, running.access_of("jane", "devs")) as jane,
    ):
        await furnish(admin)
        token_path = "/api/v1/namespaces/shop/serviceaccounts/robot/token"
        token = (await post(admin, token_path, {"spec": {}}))["status"]["token"]
        async with client_of(running, running.access, token) as robot:
            accounts = ("system:serviceaccounts", "system:serviceaccounts:shop", everybody)
            people = [
                Who("system:anonymous", ("system:unauthenticated",), anonymous),
                Who("system:node:n1", ("system:nodes", everybody), node, NODE_MAY),
                Who("system:serviceaccount:shop:robot", accounts, robot),
                Who("shopkeeper", (everybody,), keeper),
                Who("owner", (everybody,), owner),
                Who("jane", ("devs", everybody), jane),
            ]
            oracle = await Oracle.of(admin)
            wrong, counts = [], {who.name: [0, 0] for who in people}
            for who in people:
                for asked in tries():
                    key = (asked.verb, asked.group, asked.resource)
                    expected = oracle.allows(who, asked) or key in who.extra
                    got = await is_let_in(who, asked)
                    counts[who.name][got] += 1
                    if got != expected:
                        wrong.append((who.name, asked, f"expected {expected}"))
        assert wrong == []
        refused = {name: no for name, (no, _) in counts.items()}
        allowed = {name: yes for name, (_, yes) in counts.items()}
        assert refused["owner"] == 0
        assert all(no > 100 for name, no in refused.items() if name != "owner"), refused
        assert all(allowed[name] > 40 for name in ("shopkeeper", "owner")), allowed


@dataclass
class Forge:
    """Tokens that must not be good, for one account."""

    running: Live
    uid: str
    now: int

    def claims(self, **changes: Any) -> Claims:
        bound = Bound(namespace="shop", serviceaccount=Ref("robot", self.uid))
        facts = {
            "aud": [ISSUER],
            "exp": self.now + 600,
            "iat": self.now,
            "iss": ISSUER,
            "nbf": self.now,
            "sub": "system:serviceaccount:shop:robot",
            "bound": bound,
        }
        return Claims(**{**facts, **changes})

    def tokens(self) -> Iterator[tuple[str, str]]:
        sign = self.running.tokens.sign
        yield "expired", sign(self.claims(exp=self.now - 1))
        yield "without an end", sign(self.claims(exp=0))
        yield "not yet", sign(self.claims(nbf=self.now + 300))
        yield "for others", sign(self.claims(aud=["vault"]))
        yield "for nobody", sign(self.claims(aud=[]))
        yield "of another issuer", sign(self.claims(iss="https://else.where"))
        gone = Bound(namespace="shop", serviceaccount=Ref("gone", self.uid))
        yield "of no account", sign(self.claims(bound=gone))
        renewed = Bound(namespace="shop", serviceaccount=Ref("robot", "1"))
        yield "of an older account of that name", sign(self.claims(bound=renewed))
        moved = Bound(namespace="bank", serviceaccount=Ref("robot", self.uid))
        yield "of another namespace", sign(self.claims(bound=moved))
        me = Ref("robot", self.uid)
        pod = Bound(namespace="shop", serviceaccount=me, pod=Ref("gone", "1"))
        yield "of no pod", sign(self.claims(bound=pod))
        other = SigningKey(new_key_pem())
        good = sign(self.claims())
        yield "signed by another key", other.sign(json.dumps({"iss": ISSUER}).encode())
        yield "with a changed signature", good[:-8] + "AAAAAAAA"
        yield "without a signature", good.rpartition(".")[0] + "."


async def test_tokens_that_are_not_good_open_nothing(tmp_path: Path) -> None:
    async with live(tmp_path) as running, client_of(running, running.access) as admin:
        await furnish(admin)
        url = "/api/v1/namespaces/shop/serviceaccounts/robot"
        uid = (await admin.get(url)).json()["metadata"]["uid"]
        forge = Forge(running, uid, int(SystemClock().wall()))
        pods = "/api/v1/namespaces/shop/pods"
        anonymous = Access(server="", ca_pem=b"")
        good = running.tokens.sign(forge.claims())
        async with client_of(running, anonymous, good) as client:
            assert (await client.get(pods)).status_code == 200
            for what, token in forge.tokens():
                headers = {"Authorization": f"Bearer {token}"}
                for path in (pods, "/healthz"):
                    answer = await client.get(path, headers=headers)
                    assert answer.status_code == 401, what
            assert (await admin.delete(url)).status_code == 200
            assert (await client.get(pods)).status_code == 401, "the account is gone"


@pytest.mark.parametrize("count", [50])
async def test_a_grant_ends_with_its_binding_for_requests_under_way_too(
    tmp_path: Path, count: int
) -> None:
    """Nobody who asks after the answer to the delete gets in."""
    async with live(tmp_path) as running, client_of(running, running.access) as admin:
        await furnish(admin)
        async with client_of(running, running.access_of("shopkeeper")) as keeper:
            pods = "/api/v1/namespaces/shop/pods"
            assert (await keeper.get(pods)).status_code == 200
            await admin.delete(f"{RBAC}/namespaces/shop/rolebindings/admin")
            answers = await asyncio.gather(*(keeper.get(pods) for _ in range(count)))
            assert {a.status_code for a in answers} == {403}
