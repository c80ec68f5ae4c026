"""Logs, passed on from a node that this test plays."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.api.errors import BadRequest
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.node import (
    NODE,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeDaemonEndpoints,
)
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.client.base import clone
from appliance.client.http import HttpClient
from appliance.control.http.server import ApiServer
from appliance.control.http.streams import choose_container
from tests.conform.live import Live, live


@dataclass
class PlayedNode:
    """Answers /containerLogs as it is told to, and remembers what it was asked."""

    asked: list[str] = field(default_factory=list)
    code: int = 200
    lines: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue)

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.asked.append(f"{scope['path']}?{scope['query_string'].decode()}")
        await send({"type": "http.response.start", "status": self.code, "headers": []})
        while line := await self.lines.get():  # an empty one ends the log
            await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Lab:
    """A cluster of one pod on one played node."""

    running: Live
    node: PlayedNode
    http: httpx.AsyncClient

    async def logs(self, query: str = "") -> httpx.Response:
        return await self.http.get(f"/api/v1/namespaces/shop/pods/web/log{query}")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    node = PlayedNode()
    async with live(tmp_path) as running:
        server = ApiServer(
            node,
            host="127.0.0.1",
            port=0,
            cert_pem_path=tmp_path / "node.crt",
            key_pem_path=tmp_path / "node.key",
            client_ca_path=tmp_path / "ca.crt",
        )
        await server.start()
        await fill(running, server.port)
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        context.load_cert_chain(tmp_path / "admin.crt", tmp_path / "admin.key")
        base = running.access.server
        async with httpx.AsyncClient(base_url=base, verify=context, trust_env=False) as http:
            yield Lab(running, node, http)
        await server.stop()


async def fill(running: Live, port: int) -> None:
    client = HttpClient(running.access)
    await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
    meta = ObjectMeta(name="default", namespace="shop")
    await client.create(SERVICE_ACCOUNT, ServiceAccount(metadata=meta))
    node = clone(await client.create(NODE, Node(metadata=ObjectMeta(name="n1"))))
    node.status.addresses = [NodeAddress(type="InternalIP", address="127.0.0.1")]
    endpoint = DaemonEndpoint(Port=port)
    node.status.daemonEndpoints = NodeDaemonEndpoints(kubeletEndpoint=endpoint)
    await client.update(NODE, node, subresource="status")
    containers = [Container(name="main", image="x")]
    spec = PodSpec(nodeName="n1", containers=containers)
    await client.create(POD, Pod(metadata=ObjectMeta(name="web", namespace="shop"), spec=spec))
    await client.close()


async def test_the_log_of_a_container_comes_from_its_node(lab: Lab) -> None:
    for line in (b"one\n", b"two\n", b""):
        lab.node.lines.put_nowait(line)
    answer = await lab.logs("?tailLines=5&timestamps=true&unknown=x")
    assert (answer.status_code, answer.text) == (200, "one\ntwo\n")
    assert answer.headers["content-type"] == "text/plain"
    assert lab.node.asked == ["/containerLogs/shop/web/main?tailLines=5&timestamps=true"]


async def test_a_followed_log_comes_line_by_line(lab: Lab) -> None:
    url = "/api/v1/namespaces/shop/pods/web/log?follow=true"
    async with asyncio.timeout(5), lab.http.stream("GET", url) as answer:
        chunks = answer.aiter_text()
        lab.node.lines.put_nowait(b"one\n")
        assert await anext(chunks) == "one\n"
        lab.node.lines.put_nowait(b"two\n")
        assert await anext(chunks) == "two\n"
    lab.node.lines.put_nowait(b"")


async def test_what_the_node_complains_of_is_the_message(lab: Lab) -> None:
    lab.node.code = 400
    lab.node.lines.put_nowait(
        b'container "main" in pod "web" is waiting to start: ImagePullBackOff'
    )
    lab.node.lines.put_nowait(b"")
    body = (await lab.logs()).json()
    assert (body["code"], body["reason"]) == (400, "BadRequest")
    assert body["message"].startswith('container "main" in pod "web" is waiting to start')


async def test_bad_questions_do_not_reach_the_node(lab: Lab) -> None:
    assert (await lab.logs("?container=nosuch")).json()["message"] == (
        "container nosuch is not valid for pod web"
    )
    assert (await lab.logs("?tailLines=x")).status_code == 400
    missing = await lab.http.get("/api/v1/namespaces/shop/pods/nosuch/log")
    assert missing.json()["message"] == 'pods "nosuch" not found'
    assert lab.node.asked == []


def test_a_pod_of_several_containers_must_be_asked_for_one() -> None:
    containers = [Container(name="a", image="x"), Container(name="b", image="x")]
    pod = Pod(metadata=ObjectMeta(name="p"), spec=PodSpec(containers=containers))
    with pytest.raises(BadRequest) as caught:
        choose_container(pod, "")
    assert caught.value.message == (
        "a container name must be specified for pod p, choose one of: [a b]"
    )
    pod.spec.initContainers = [Container(name="i", image="x")]
    with pytest.raises(BadRequest, match=r"\[a b\] or one of the init containers: \[i\]"):
        choose_container(pod, "")
    assert choose_container(pod, "i") == "i"
