"""Where a bearer token may stand."""

from typing import Any

import pytest

from appliance.api.errors import BadRequest
from appliance.control.access.authn import ANONYMOUS
from appliance.control.http.exchange import Exchange
from appliance.control.http.middleware import authorization_of
from appliance.control.http.target import parse_target

PROTOCOL = "base64url.bearer.authorization.k8s.io."


async def nobody(*_args: Any) -> Any:
    return None


def exchange(**headers: str) -> Exchange:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    target = parse_target("GET", "/api/v1/namespaces/n/pods/p/exec", {})
    return Exchange(
        scope={}, receive=nobody, send=nobody, target=target, user=ANONYMOUS, headers=named
    )


def test_it_stands_in_the_header() -> None:
    assert authorization_of(exchange(authorization="Bearer a")) == "Bearer a"
    assert authorization_of(exchange(sec_websocket_protocol="v5.channel.k8s.io")) == ""


def test_or_among_the_protocols_of_a_websocket() -> None:
    made = exchange(sec_websocket_protocol=f"v5.channel.k8s.io, {PROTOCOL}d29yZA")
    assert authorization_of(made) == "Bearer word"


@pytest.mark.parametrize("encoded", ["d29y!", "_w"])
def test_what_cannot_be_read_is_refused(encoded: str) -> None:
    with pytest.raises(BadRequest):
        authorization_of(exchange(sec_websocket_protocol=PROTOCOL + encoded))
