"""The node's own HTTPS API: who may call, and which log they get."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from appliance.kit.clock import FakeClock, SystemClock
from appliance.kit.pki import KeyPair, Subject, issue, new_ca
from appliance.node.options import ServeOptions
from appliance.node.serve.app import build_app, log_request
from appliance.node.serve.server import NodeServer
from tests.unit.node.stage import Stage, pod

LOGS = "/containerLogs/default/p/web"


class Keys:
    """One CA, a serving certificate, and callers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = SystemClock().wall()
        self.ca = new_ca("ca", now=self.now)
        (folder / "ca.crt").write_bytes(self.ca.cert_pem)
        self.save(
            "serving", self._issue(Subject(common_name="n1", sans=("127.0.0.1",), server=True))
        )

    def options(self) -> ServeOptions:
        return ServeOptions(
            host="127.0.0.1",
            port=0,
            cert_path=self.folder / "serving.crt",
            key_path=self.folder / "serving.key",
            client_ca_path=self.folder / "ca.crt",
        )

    def caller(self, *organizations: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        if organizations:
            subject = Subject(common_name="x", organizations=organizations, client=True)
            self.save("caller", self._issue(subject))
            context.load_cert_chain(self.folder / "caller.crt", self.folder / "caller.key")
        return context

    def save(self, name: str, pair: KeyPair) -> None:
        (self.folder / f"{name}.crt").write_bytes(pair.cert_pem)
        (self.folder / f"{name}.key").write_bytes(pair.key_pem)

    def _issue(self, subject: Subject) -> KeyPair:
        return issue(self.ca, subject, now=self.now)


@asynccontextmanager
async def serving(stage: Stage, keys: Keys) -> AsyncIterator[NodeServer]:
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        server = NodeServer(build_app(workers, stage.runtime, stage.clock), keys.options())
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


async def get(server: NodeServer, tls: ssl.SSLContext, path: str, **query: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=tls, trust_env=False) as http:
        return await http.get(f"https://127.0.0.1:{server.port}{path}", params=query)


async def test_the_api_server_reads_logs(tmp_path: Path) -> None:
    stage, keys = Stage(tmp_path), Keys(tmp_path)
    masters = keys.caller("system:masters")
    async with serving(stage, keys) as server:
        stage.runtime.say((await stage.running("web")).id, "one\n")
        stage.runtime.say((await stage.running("web")).id, "two\n", "stderr")
        assert (await get(server, masters, "/healthz")).text == "ok"
        assert (await get(server, masters, LOGS)).text == "one\ntwo\n"
        assert (await get(server, masters, LOGS, tailLines="1")).text == "two\n"
        assert (await get(server, masters, LOGS, limitBytes="5")).text == "one\nt"
        shown = (await get(server, masters, "/pods")).json()
        assert shown["items"][0]["status"]["phase"] == "Running"
        none = await get(server, masters, LOGS, previous="true")
        assert none.status_code == 400
        assert none.text == 'previous terminated container "web" in pod "p" not found'
        lost = await get(server, masters, "/containerLogs/default/q/web")
        assert lost.status_code == 404
        odd = await get(server, masters, LOGS, tailLines="x")
        assert odd.status_code == 400


async def test_the_log_of_the_container_before(tmp_path: Path) -> None:
    stage, keys = Stage(tmp_path), Keys(tmp_path)
    masters = keys.caller("system:masters")
    async with serving(stage, keys) as server:
        stage.runtime.say((await stage.running("web")).id, "first\n")
        stage.runtime.finish((await stage.running("web")).id, 1)
        await stage.settle()
        stage.runtime.say((await stage.running("web")).id, "second\n")
        assert (await get(server, masters, LOGS, previous="true")).text == "first\n"
        assert (await get(server, masters, LOGS)).text == "second\n"


async def test_a_followed_log_ends_with_its_container(tmp_path: Path) -> None:
    stage, keys = Stage(tmp_path), Keys(tmp_path)
    masters = keys.caller("system:masters")
    async with serving(stage, keys) as server, httpx.AsyncClient(verify=masters) as http:
        web = await stage.running("web")
        stage.runtime.say(web.id, "one\n")
        url = f"https://127.0.0.1:{server.port}{LOGS}?follow=true"
        async with http.stream("GET", url) as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "one"
            stage.runtime.say(web.id, "two\n")
            assert await anext(lines) == "two"
            stage.runtime.finish(web.id, 0)
            assert [line async for line in lines] == []


@pytest.mark.parametrize("organizations", [(), ("system:nodes",)])
async def test_strangers_are_turned_away(tmp_path: Path, organizations: tuple[str, ...]) -> None:
    stage, keys = Stage(tmp_path), Keys(tmp_path)
    stranger = keys.caller(*organizations)
    async with serving(stage, keys) as server:
        with pytest.raises(httpx.TransportError):
            await get(server, stranger, "/healthz")


def test_log_queries() -> None:
    query = {"sinceSeconds": "60", "follow": "true", "timestamps": "1", "stream": "Stderr"}
    wanted = log_request("web", query, now=FakeClock().wall())
    options = wanted.options
    assert options.since == FakeClock().wall() - 60
    assert (options.follow, options.timestamps) == (True, True)
    assert (options.stdout, options.stderr) == (False, True)
    at = log_request("web", {"sinceTime": "2026-01-01T00:00:00Z"}, now=0.0)
    assert at.options.since == 1767225600
