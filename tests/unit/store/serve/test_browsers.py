"""Web pages of others: which may read answers, and by which names the store is asked."""

import pytest

from appliance.store.serve.browsers import Browsers
from appliance.store.serve.http1 import HttpRequest, HttpResponse

ORIGIN = "https://page.example"


async def ask(
    browsers: Browsers, method: str = "GET", *, tls: bool = False, **headers: str
) -> HttpResponse:
    fields = {name.encode(): value.encode() for name, value in headers.items()}
    request = HttpRequest(method, "/", {}, fields, b"", keep_alive=True, tls=tls)

    async def page(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=b"answer", headers={"X": "1"})

    return await browsers.answer(request, page)


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ((), ORIGIN, None),
        ((ORIGIN,), ORIGIN, ORIGIN),
        ((ORIGIN,), "https://other.example", None),
        ((ORIGIN,), "", None),
        (("*",), "https://other.example", "*"),
    ],
)
async def test_pages_that_were_named_may_read(
    origins: tuple[str, ...], origin: str, allowed: str | None
) -> None:
    response = await ask(Browsers(origins=origins), origin=origin)
    assert response.body == b"answer"
    assert response.headers["X"] == "1"
    assert response.headers.get("Access-Control-Allow-Origin") == allowed


async def test_a_browser_that_asks_first_is_told() -> None:
    response = await ask(Browsers(origins=(ORIGIN,)), "OPTIONS", origin=ORIGIN)
    assert (response.status, response.body) == (200, b"")
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert (await ask(Browsers(), "OPTIONS", origin=ORIGIN)).body == b"answer"


@pytest.mark.parametrize(
    ("host", "tls", "status"),
    [
        ("db.example:2379", False, 200),
        ("[::1]:2379", False, 200),
        ("evil.example:2379", False, 421),
        ("", False, 421),
        ("evil.example", True, 200),
    ],
)
async def test_other_names_are_misdirected(host: str, tls: bool, status: int) -> None:
    browsers = Browsers(hosts=("db.example", "::1"))
    assert (await ask(browsers, tls=tls, host=host)).status == status
    for anything in (Browsers(), Browsers(hosts=("*",))):
        assert (await ask(anything, host=host)).status == 200
