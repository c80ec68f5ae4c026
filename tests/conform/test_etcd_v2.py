"""The same requests to the v2 keys API of ours and of a real etcd: status, body, headers.

First a long random story, then watches side by side. Indexes are compared by how far apart they
are, times are left out. `ETCD_OPERATIONS` makes it run longer, `ETCD_SEED` draws others.
"""

import asyncio
import json
import os
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from tests.conform.etcd_endpoints import ETCD, ours, real

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ETCD is None, reason="no real etcd to compare with (etcd-server)"),
]

OPERATIONS = int(os.environ.get("ETCD_OPERATIONS", "400"))
SEED = int(os.environ.get("ETCD_SEED", "1"))
NAMES = ["a", "b", "_h", "d/x", "d/y", "d/_h", "d/e/f", "", "a/below", "q", "é ü"]
_INDEXES = ("modifiedIndex", "createdIndex", "index")

Request = tuple[str, str, dict[str, str], dict[str, str]]
"""Method, path, query, form."""


class Endpoint:
    """One of the two, and the index it began with."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.first = 0

    async def begin(self) -> None:
        while "not_decided" in (await self.client.get("/version")).text:
            pass  # a start writes to the tree, too: until it has
        answer = await self.client.get("/v2/keys")
        self.first = int(answer.headers["x-etcd-index"])

    async def ask(self, request: Request) -> httpx.Response:
        method, path, query, form = request
        fields = {k: self.shifted(v) if "Index" in k else v for k, v in query.items()}
        body = {k: self.shifted(v) if "Index" in k else v for k, v in form.items()}
        url = "/v2/keys/" + quote(path) + ("?" + urlencode(fields) if fields else "")
        return await self.client.request(method, url, data=body or None)

    def shifted(self, text: str) -> str:
        """An index of the story as this one's; what is no number stays."""
        return str(int(text) + self.first) if re.fullmatch(r"\d+", text) and text != "0" else text

    def plain(self, data: Any, key: str = "") -> Any:
        if isinstance(data, dict):
            return {name: self.plain(part, name) for name, part in data.items()}
        if isinstance(data, list):
            return sorted((self.plain(part) for part in data), key=lambda one: str(one.get("key")))
        if key in _INDEXES and data:
            return data - self.first
        if key == "key":
            return re.sub(r"\d{20}", lambda m: f"#{int(m.group()) - self.first}", data)
        if key == "cause":
            return re.sub(r"\d+(?= != )|(?<= != )\d+", lambda m: self.near(m.group()), data)
        return "some" if key in {"expiration", "ttl"} else data

    def near(self, text: str) -> str:
        return str(int(text) - self.first) if int(text) else text

    def comparable(self, answer: httpx.Response) -> Any:
        index = int(answer.headers.get("x-etcd-index", 0))
        return (
            answer.status_code,
            self.plain(json.loads(answer.text)) if answer.text else "",
            index and index - self.first,
            answer.headers.get("content-type"),
        )


class V2Story:
    """Draws requests."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.index = 0

    def next(self) -> Request:
        rng = self._rng
        method = rng.choices(["GET", "PUT", "POST", "DELETE", "HEAD"], [25, 45, 10, 20, 2])[0]
        path = rng.choice(NAMES)
        query: dict[str, str] = {}
        form: dict[str, str] = {}
        for name, values, odds in (
            ("recursive", ["true", "false", "1", "maybe"], 0.4 if method != "PUT" else 0.02),
            ("sorted", ["true", "no"], 0.05),
            ("dir", ["true", "false", ""], 0.2),
            ("prevValue", ["one", "two", ""], 0.15),
            ("prevIndex", ["0", str(self.index), str(rng.randrange(self.index + 1)), "x"], 0.15),
            ("noValueOnSuccess", ["true", "false", "2"], 0.05),
            ("quorum", ["true"], 0.05),
        ):
            if rng.random() < odds:
                query[name] = rng.choice(values)
        if method in {"PUT", "POST"}:
            for name, values, odds in (
                ("value", ["one", "two", "", "é<&>%"], 0.85),
                ("ttl", ["1000", "", "x", "-1"], 0.12),
                ("prevExist", ["true", "false", "perhaps"], 0.25),
                ("refresh", ["true", "false"], 0.06),
            ):
                if rng.random() < odds:
                    form[name] = rng.choice(values)
        return method, path, query, form


@asynccontextmanager
async def both(folder: Path) -> AsyncIterator[tuple[Endpoint, Endpoint]]:
    async with (
        ours(folder) as ours_url,
        real(folder, "--enable-v2") as real_url,
        httpx.AsyncClient(base_url=ours_url, timeout=20) as us,
        httpx.AsyncClient(base_url=real_url, timeout=20) as etcd,
    ):
        pair = Endpoint(us), Endpoint(etcd)
        for one in pair:
            await one.begin()
        yield pair


async def test_equal_answers_to_random_requests(tmp_path: Path) -> None:
    story = V2Story(random.Random(SEED))  # noqa: S311 - a seed repeats it
    statuses: set[int] = set()
    async with both(tmp_path) as pair:
        for number in range(OPERATIONS):
            request = story.next()
            answers = await asyncio.gather(*(one.ask(request) for one in pair))
            told = [one.comparable(answer) for one, answer in zip(pair, answers, strict=True)]
            assert told[0] == told[1], f"seed {SEED}, request {number}: {request}"
            statuses.add(answers[0].status_code)
            story.index = max(story.index, told[0][2])
        everything = [await one.ask(("GET", "", {"recursive": "true"}, {})) for one in pair]
        told = [one.comparable(answer) for one, answer in zip(pair, everything, strict=True)]
        assert told[0] == told[1]
    assert statuses >= {200, 201, 400, 403, 404, 412}, "the requests were not of all sorts"


WATCHES: list[tuple[str, dict[str, str]]] = [
    ("a", {}),
    ("d", {}),
    ("d", {"recursive": "true"}),
    ("", {"recursive": "true"}),
    ("d/x", {}),
    ("d/e/f", {}),
    ("d/_h", {}),
    ("missing", {}),
    ("d", {"recursive": "true", "waitIndex": "3"}),
    ("", {"recursive": "true", "waitIndex": "1"}),
    ("d/x", {"waitIndex": "4"}),
    ("d/e/f", {"waitIndex": "9"}),
]
CHANGES: list[Request] = [
    ("PUT", "d/_h", {}, {"value": "hidden"}),
    ("PUT", "d/x", {}, {"value": "2"}),
    ("PUT", "a", {"prevExist": "true"}, {"value": "2"}),
    ("PUT", "missing", {"prevExist": "false"}, {"value": "new"}),
    ("PUT", "d/x", {}, {"refresh": "true", "ttl": "100"}),
    ("DELETE", "d", {"recursive": "true"}, {}),
]


async def test_watches_are_told_the_same(tmp_path: Path) -> None:
    async with both(tmp_path) as pair:
        for path, query in WATCHES:
            told = []
            for one in pair:
                await one.ask(("DELETE", "missing", {}, {}))
                for made in ("a", "d/x", "d/e/f", "b"):
                    await one.ask(("PUT", made, {}, {"value": "1"}))
                asked: Request = ("GET", path, {"wait": "true", **query}, {})
                waiting = asyncio.create_task(one.ask(asked))
                while not waiting.done() and not await _watchers(one):
                    pass  # the statistics tell when it waits
                for change in CHANGES:
                    await one.ask(change)
                    await asyncio.wait([waiting], timeout=0.1)
                assert waiting.done(), (path, query)
                told.append(one.comparable(await waiting)[:2])  # from when on it waited may differ
            assert told[0] == told[1], (path, query)


async def _watchers(one: Endpoint) -> int:
    return int((await one.client.get("/v2/stats/store")).json()["watchers"])


async def test_what_has_a_ttl_expires_alike(tmp_path: Path) -> None:
    async with both(tmp_path) as pair:
        told = []
        for one in pair:
            await one.ask(("PUT", "t/gone", {}, {"value": "1", "ttl": "1"}))
            event = await one.ask(("GET", "t/gone", {"wait": "true"}, {}))
            after = await one.ask(("GET", "t", {}, {}))
            told.append((one.comparable(event), one.comparable(after)))
        assert told[0] == told[1]
        assert told[0][0][1]["action"] == "expire"


async def test_history_goes_back_a_thousand_events(tmp_path: Path) -> None:
    async with both(tmp_path) as pair:
        for _ in range(1001):
            await asyncio.gather(*(one.ask(("PUT", "a", {}, {"value": "1"})) for one in pair))
        told = []
        for one in pair:
            gone = await one.ask(("GET", "a", {"wait": "true", "waitIndex": "1"}, {}))
            kept = await one.ask(("GET", "a", {"wait": "true", "waitIndex": "2"}, {}))
            told.append((gone.json()["errorCode"], gone.status_code, one.comparable(kept)))
        assert told[0] == told[1]
        assert told[0][0] == 401


async def test_the_other_pages_answer_alike(tmp_path: Path) -> None:
    def shape(data: Any) -> Any:
        return {key: shape(part) for key, part in data.items()} if isinstance(data, dict) else ""

    async with both(tmp_path) as (us, etcd):
        for path in ("/v2/stats/self", "/v2/stats/store", "/v2/stats/leader", "/v2/members"):
            got = [(await one.client.get(path)) for one in (us, etcd)]
            assert shape(got[0].json()) == shape(got[1].json())
            assert got[0].headers["content-type"] == got[1].headers["content-type"]
        for method, path in (
            ("PATCH", "/v2/keys/a"),
            ("GET", "/v2/leader"),
            ("DELETE", "/v2/members/123"),
            ("GET", "/v2/members/nobody"),
        ):
            got = [(await one.client.request(method, path)) for one in (us, etcd)]
            assert got[0].status_code == got[1].status_code
            assert got[0].text.strip() == got[1].text.strip()
        assert (await us.client.get("/v2/machines")).text == "http://127.0.0.1:1"
