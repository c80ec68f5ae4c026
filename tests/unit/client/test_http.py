"""HttpClient against servers that do not behave; how it behaves with a good one is its contract."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from appliance.api.errors import (
    ApiError,
    Expired,
    InternalError,
    ServiceUnavailable,
    TooManyRequests,
)
from appliance.api.kinds.core.configmap import CONFIG_MAP
from appliance.client.http import HttpClient
from appliance.client.kubeconfig import Access
from appliance.control.http.server import ApiServer


@dataclass
class Played:
    """A server that answers everything with the same."""

    code: int = 200
    body: bytes = b""
    asked: list[Any] = field(default_factory=list)

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.asked.append(scope)
        await send({"type": "http.response.start", "status": self.code, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
async def client(played: Played) -> AsyncIterator[HttpClient]:
    server = ApiServer(played, host="127.0.0.1", port=0, cert_pem_path=None, key_pem_path=None)
    await server.start()
    made = HttpClient(Access(server=f"http://127.0.0.1:{server.port}"), agent="story")
    yield made
    await made.close()
    await server.stop()


async def test_a_proxy_in_between_that_answers_html_is_an_api_error(
    client: HttpClient, played: Played
) -> None:
    played.code, played.body = 503, b"<html>down</html>"
    with pytest.raises(ServiceUnavailable, match="503 <html>down</html>"):
        await client.get(CONFIG_MAP, "a", "n")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"metadata":[]}'])
async def test_an_answer_that_is_no_object_is_an_api_error(
    client: HttpClient, played: Played, body: bytes
) -> None:
    played.body = body
    with pytest.raises(InternalError, match="the API server"):
        await client.get(CONFIG_MAP, "a", "n")
    with pytest.raises(InternalError, match="the API server"):
        await client.list(CONFIG_MAP)


async def test_a_watch_that_is_none_is_an_api_error(client: HttpClient, played: Played) -> None:
    played.body = b"<html>\n"
    with pytest.raises(InternalError):
        [event async for event in client.watch(CONFIG_MAP, since="1")]


async def test_an_error_event_ends_a_watch_as_what_it_says(
    client: HttpClient, played: Played
) -> None:
    played.body = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'
    with pytest.raises(Expired):
        [event async for event in client.watch(CONFIG_MAP, since="1")]


async def test_when_to_come_back_is_kept(client: HttpClient, played: Played) -> None:
    played.code = 429
    played.body = b'{"kind":"Status","code":429,"details":{"retryAfterSeconds":7}}'
    with pytest.raises(TooManyRequests) as caught:
        await client.get(CONFIG_MAP, "a", "n")
    assert caught.value.details is not None
    assert caught.value.details.retry_after_s == 7


async def test_nobody_there_is_an_api_error_that_says_where() -> None:
    client = HttpClient(Access(server="http://127.0.0.1:9"))
    with pytest.raises(ApiError, match=r"can't reach the API server at 127\.0\.0\.1:9"):
        await client.get(CONFIG_MAP, "a", "n")
    await client.close()


async def test_the_server_hears_who_asks(client: HttpClient, played: Played) -> None:
    played.body = b'{"metadata":{"name":"a"}}'
    await client.get(CONFIG_MAP, "a", "n")
    assert (b"user-agent", b"story") in played.asked[0]["headers"]
