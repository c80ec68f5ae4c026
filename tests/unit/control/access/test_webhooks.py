"""Webhooks are asked about what they want to know, change it, and may say no."""

import asyncio
import base64
import contextlib
import random
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.api.errors import Forbidden, InternalError
from appliance.api.kind import Kind
from appliance.api.kinds.admissionregistration.mutatingwebhookconfiguration import (
    MUTATING_WEBHOOK_CONFIGURATION,
)
from appliance.api.kinds.admissionregistration.validatingwebhookconfiguration import (
    VALIDATING_WEBHOOK_CONFIGURATION,
)
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.secret import SECRET
from appliance.api.meta import ObjectMeta
from appliance.control.access.steps.base import Attempt
from appliance.control.access.webhooks.caller import CallFailed, HttpsCaller
from appliance.control.access.webhooks.steps import MutatingWebhooks, ValidatingWebhooks
from appliance.control.registry.base import Call, User
from appliance.kit import jsonio, pki

PATCH = [{"op": "add", "path": "/data/added", "value": "yes"}]


def rules(**rule: Any) -> dict[str, Any]:
    everything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"]}
    return {"rules": [everything | {"resources": ["*"]} | rule]}


class World:
    """Configurations that are there, and a webhook that answers as it is told."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []
        self._objects: dict[str, list[Any]] = {
            NAMESPACE.kind: [Namespace(metadata=ObjectMeta(name="here", labels={"watched": "yes"}))]
        }

    def add(self, kind: Kind[Any], **hook: Any) -> "World":
        whole = {
            "name": "a.example.com",
            "clientConfig": {"url": "https://example.com/"},
            "rules": [
                {
                    "operations": ["*"],
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["configmaps"],
                }
            ],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        } | hook
        made = msgspec.convert({"metadata": {"name": "c"}, "webhooks": [whole]}, kind.type)
        kind.set_defaults(made)
        assert kind.validate(made) == []
        self._objects.setdefault(kind.kind, []).append(made)
        return self

    async def find(self, kind: Kind[Any], namespace: str, name: str) -> Any:
        del namespace
        every = self._objects.get(kind.kind, [])
        return next((obj for obj in every if obj.metadata.name == name), None)

    async def every(self, kind: Kind[Any], namespace: str = "") -> list[Any]:
        del namespace
        return self._objects.get(kind.kind, [])

    async def __call__(self, config: Any, body: Any, timeout_s: float) -> bytes:
        del config, timeout_s
        self.asked.append(body["request"])
        if not self.answer:
            raise CallFailed("nobody is there")
        return jsonio.dumps({"response": {"uid": body["request"]["uid"], **self.answer}})

    async def run(self, step: Any, kind: Kind[Any] = CONFIG_MAP, **how: Any) -> Attempt:
        obj = ConfigMap(
            metadata=ObjectMeta(name="x", labels=how.pop("labels", {})), data={"k": "v"}
        )
        attempt = Attempt(
            verb=how.pop("verb", "create"),
            kind=kind,
            namespace="here",
            name="x",
            obj=obj,
            call=Call(user=User(name="me", groups=("g",)), **how),
        )
        await step(self, self, random.Random(1)).admit(attempt)  # noqa: S311
        return attempt


def patched(patch: Any) -> dict[str, Any]:
    packed = base64.b64encode(jsonio.dumps(patch)).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": packed}


async def test_a_webhook_changes_the_object_and_sees_who_writes() -> None:
    world = World(**patched(PATCH), warnings=["look out"]).add(MUTATING_WEBHOOK_CONFIGURATION)
    attempt = await world.run(MutatingWebhooks)
    assert attempt.obj.data == {"k": "v", "added": "yes"}
    assert attempt.call.warnings == ["look out"]
    (asked,) = world.asked
    assert (asked["operation"], asked["userInfo"]["username"]) == ("CREATE", "me")
    assert (asked["object"]["kind"], asked["resource"]["resource"]) == ("ConfigMap", "configmaps")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"message": "not here"}, 'webhook "a.example.com" denied the request: not here'),
        ({}, 'webhook "a.example.com" denied the request without explanation'),
    ],
)
async def test_a_webhook_says_no(status: dict[str, Any], why: str) -> None:
    world = World(allowed=False, status=status).add(VALIDATING_WEBHOOK_CONFIGURATION)
    with pytest.raises(Forbidden, match=why):
        await world.run(ValidatingWebhooks)


@pytest.mark.parametrize(
    ("hook", "how"),
    [
        ({}, {"kind": SECRET}),
        (rules(operations=["DELETE"]), {}),
        (rules(resources=["*/status"]), {}),
        ({"namespaceSelector": {"matchLabels": {"watched": "no"}}}, {}),
        ({"objectSelector": {"matchLabels": {"a": "b"}}}, {"labels": {"a": "c"}}),
    ],
)
async def test_what_it_does_not_want_to_know_it_is_not_asked(
    hook: Mapping[str, Any], how: dict[str, Any]
) -> None:
    world = World(allowed=False).add(VALIDATING_WEBHOOK_CONFIGURATION, **hook)
    await world.run(ValidatingWebhooks, **how)
    assert world.asked == []


async def test_a_patch_that_does_not_fit_is_the_fault_of_the_webhook() -> None:
    patch = [{"op": "remove", "path": "/data/missing"}]
    world = World(**patched(patch)).add(MUTATING_WEBHOOK_CONFIGURATION)
    with pytest.raises(InternalError, match=r"a\.example\.com"):
        await world.run(MutatingWebhooks)


async def test_without_an_answer_the_policy_of_the_webhook_decides() -> None:
    strict = World().add(VALIDATING_WEBHOOK_CONFIGURATION)
    with pytest.raises(InternalError, match=r'failed calling webhook "a\.example\.com"'):
        await strict.run(ValidatingWebhooks)
    lax = World().add(VALIDATING_WEBHOOK_CONFIGURATION, failurePolicy="Ignore")
    await lax.run(ValidatingWebhooks)
    assert len(lax.asked) == 1


@asynccontextmanager
async def https(folder: Path, pair: pki.KeyPair, body: bytes) -> AsyncIterator[int]:
    """A server that answers every POST alike."""
    (folder / "pair.pem").write_bytes(pair.key_pem + pair.cert_pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "pair.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _ = await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        writer.write(head + body)
        await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_webhook_is_asked_over_https_and_trusted_by_its_own_ca(tmp_path: Path) -> None:
    now = time.time()
    ca, other = (pki.new_ca(name, now=now) for name in ("ours", "theirs"))
    subject = pki.Subject(common_name="hook", sans=("127.0.0.1",), server=True)
    pair = pki.issue(ca, subject, now=now)
    caller = HttpsCaller(World())
    async with https(tmp_path, pair, b'{"response":{}}') as port:
        kind = VALIDATING_WEBHOOK_CONFIGURATION
        url = f"https://127.0.0.1:{port}/"
        made = World().add(kind, clientConfig={"url": url})
        config = (await made.every(kind))[0].webhooks[0].clientConfig
        config.caBundle = ca.cert_pem
        assert await caller(config, {}, 5.0) == b'{"response":{}}'
        config.caBundle = other.cert_pem
        with pytest.raises(CallFailed, match="certificate verify failed"):
            await caller(config, {}, 5.0)


async def test_a_condition_may_spare_the_webhook() -> None:
    spared = {"name": "spared", "expression": "object.metadata.name != 'x'"}
    world = World(allowed=False).add(VALIDATING_WEBHOOK_CONFIGURATION, matchConditions=[spared])
    await world.run(ValidatingWebhooks)
    assert world.asked == []


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_a_condition_that_fails_follows_the_failure_policy(policy: str) -> None:
    broken = {"name": "broken", "expression": "object.nothing == 1"}
    world = World(allowed=True).add(
        VALIDATING_WEBHOOK_CONFIGURATION, matchConditions=[broken], failurePolicy=policy
    )
    if policy == "Ignore":
        await world.run(ValidatingWebhooks)
    else:
        with pytest.raises(Forbidden, match="match condition broken: no such key: nothing"):
            await world.run(ValidatingWebhooks)
    assert world.asked == []


def test_a_condition_that_is_no_expression_is_refused() -> None:
    hook = {"name": "a.b.c", "matchConditions": [{"name": "x", "expression": "object."}]}
    made = msgspec.convert({"webhooks": [hook]}, VALIDATING_WEBHOOK_CONFIGURATION.type)
    told = {c.field: c.message for c in VALIDATING_WEBHOOK_CONFIGURATION.validate(made)}
    assert "compilation failed" in told["webhooks[0].matchConditions[0].expression"]
