import os
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.node.images.credentials import Entry, Login
from appliance.node.images.names import reference
from appliance.node.images.pull import Puller
from appliance.node.images.registries import Try, parse
from appliance.node.runtimes.base import PullFailed
from appliance.node.runtimes.fake import FakeRuntime

FILE = """
mirrors:
  docker.io:
    endpoint: ["http://10.0.0.1:5000", "https://mirror.example/v2/cache"]
    rewrite: {"^library/(.*)": "stock/$1"}
  "*":
    endpoint: ["https://any.example"]
configs:
  "10.0.0.1:5000":
    auth: {username: ann, password: hush}
  any.example:
    tls: {insecure_skip_verify: true}
"""


def ways(name: str, text: str = FILE, *, ask: bool = True) -> list[Try]:
    return parse(text, ask_registry=ask).ways(name, reference(name), ())


def test_mirrors_come_first_and_the_registry_last() -> None:
    assert ways("web:1") == [
        Try("10.0.0.1:5000/stock/web:1", "10.0.0.1:5000", Login("ann", "hush"), insecure=True),
        Try("mirror.example/cache/stock/web:1", "mirror.example"),
        Try("web:1", "docker.io"),
    ]
    assert [way.name for way in ways("web:1", ask=False)][-1] == "mirror.example/cache/stock/web:1"


def test_a_star_is_every_other_host() -> None:
    assert ways("r.example/web:1") == [
        Try("any.example/web:1", "any.example", insecure=True),
        Try("r.example/web:1", "r.example"),
    ]


def test_every_login_is_tried_then_the_files() -> None:
    found = parse("configs: {r.example: {auth: {auth: Ym9iOng=}}}")
    ring = (Entry("r.example", "", Login("ann", "1")),)
    tried = found.ways("r.example/web", reference("r.example/web"), ring)
    assert [way.login and way.login.username for way in tried] == ["ann", "bob"]


def test_digests_are_asked_of_the_registry_alone() -> None:
    name = "web@sha256:" + "ab" * 32
    assert [way.name for way in ways(name)] == [name]


@pytest.mark.parametrize(
    "text",
    [
        "- a",
        "mirrors: [a]",
        "mirrors: {a: {endpoint: http://x}}",
        "mirrors: {a: {endpoint: [x]}}",
        "mirrors: {a: {rewrite: {'(': b}}}",
        "configs: {a: {auth: secret}}",
        "a: [",
    ],
)
def test_a_file_of_another_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|YAML|rewrite"):
        parse(text)


async def test_what_comes_from_a_mirror_gets_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "registries.yaml"
    file.write_text(FILE)
    runtime = FakeRuntime(FakeClock(), registry=["mirror.example/cache/stock/web:1"])
    image = await Puller(runtime, file).pull("web:1", reference("web:1"), ())
    assert image.names == ("web:1",)
    assert {n for i in await runtime.images() for n in i.names} == {"web:1"}


async def test_all_that_was_said_is_told_and_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "registries.yaml"
    file.write_text(FILE)
    with pytest.raises(PullFailed) as caught:
        await Puller(FakeRuntime(FakeClock()), file).pull("web:1", reference("web:1"), ())
    text = str(caught.value)
    assert "10.0.0.1:5000/stock/web:1" in text
    assert text.endswith("; no registry has web:1")
    assert "hush" not in text


async def test_the_file_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "registries.yaml"
    runtime = FakeRuntime(FakeClock(), registry=["m.example/library/web:1"])
    puller = Puller(runtime, file)
    with pytest.raises(PullFailed):
        await puller.pull("web:1", reference("web:1"), ())
    write(file, "mirrors: {docker.io: {endpoint: ['https://m.example']}}")
    await puller.pull("web:1", reference("web:1"), ())
    write(file, "mirrors: [")  # spoilt: the last good one holds
    assert await puller.pull("web:1", reference("web:1"), ())


def write(file: Path, text: str) -> None:
    file.write_text(text)
    os.utime(file)
