"""Tokens of pods: asked for once, renewed in time, kept while the API is away."""

from pathlib import Path
from typing import Any

import pytest

from appliance.api.errors import NotFound, ServiceUnavailable
from appliance.api.kinds.authentication.tokenrequest import TokenRequest
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.pod.volumes import (
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from appliance.api.meta import ObjectMeta
from appliance.kit.clock import FakeClock, rfc3339
from appliance.node.pods.tokens import PodTokens


class Api:
    """Gives numbered tokens."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.asked: list[tuple[str, str, TokenRequest]] = []
        self.fault: Exception | None = None

    async def create(self, _kind: Any, obj: TokenRequest, **where: str) -> TokenRequest:
        if self.fault is not None:
            raise self.fault
        self.asked.append((where["namespace"], where["name"], obj))
        obj.status.token = f"t{len(self.asked)}"
        until = self._clock.wall() + (obj.spec.expirationSeconds or 0)
        obj.status.expirationTimestamp = rfc3339(until)
        return obj


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(clock)


@pytest.fixture
def tokens(api: Api, clock: FakeClock, tmp_path: Path) -> PodTokens:
    client: Any = api
    return PodTokens(client, clock, tmp_path)


def pod(*audiences: str, seconds: int = 1000, account: str = "robot") -> Pod:
    sources = [
        VolumeProjection(
            serviceAccountToken=ServiceAccountTokenProjection(
                audience=audience, expirationSeconds=seconds, path="token"
            )
        )
        for audience in audiences
    ]
    volume = Volume(name="v", projected=ProjectedVolumeSource(sources=sources))
    return Pod(
        metadata=ObjectMeta(name="p", namespace="shop", uid="u1"),
        spec=PodSpec(serviceAccountName=account, volumes=[volume]),
    )


async def test_each_audience_has_its_token_bound_to_the_pod(tokens: PodTokens, api: Api) -> None:
    assert await tokens.of(pod("", "vault")) == {"": "t1", "vault": "t2"}
    namespace, name, request = api.asked[1]
    assert (namespace, name, request.spec.audiences) == ("shop", "robot", ["vault"])
    ref = request.spec.boundObjectRef
    assert ref is not None
    assert (ref.kind, ref.name, ref.uid) == ("Pod", "p", "u1")


async def test_a_token_is_renewed_at_four_fifths_of_its_time(
    tokens: PodTokens, clock: FakeClock
) -> None:
    assert await tokens.of(pod("")) == {"": "t1"}
    await clock.advance(799)
    assert await tokens.of(pod("")) == {"": "t1"}
    await clock.advance(1)
    assert await tokens.of(pod("")) == {"": "t2"}


async def test_a_long_token_is_renewed_each_day(tokens: PodTokens, clock: FakeClock) -> None:
    await tokens.of(pod("", seconds=30 * 86_400))
    await clock.advance(86_400)
    assert await tokens.of(pod("", seconds=30 * 86_400)) == {"": "t2"}


async def test_while_the_api_is_away_a_pod_keeps_its_token_even_over_a_restart(
    tokens: PodTokens, api: Api, clock: FakeClock, tmp_path: Path
) -> None:
    await tokens.of(pod(""))
    api.fault = ServiceUnavailable("away")
    await clock.advance(5000)
    assert await tokens.of(pod("")) == {"": "t1"}
    client: Any = api
    again = PodTokens(client, clock, tmp_path)
    assert await again.of(pod("")) == {"": "t1"}
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600


async def test_without_any_token_a_pod_does_not_start(tokens: PodTokens, api: Api) -> None:
    api.fault = NotFound('serviceaccounts "robot" not found')
    with pytest.raises(NotFound):
        await tokens.of(pod(""))


async def test_a_pod_without_an_account_is_nobody(tokens: PodTokens, api: Api) -> None:
    assert await tokens.of(pod("", account="")) == {}
    assert api.asked == []


async def test_tokens_go_with_their_pods(tokens: PodTokens) -> None:
    await tokens.of(pod(""))
    tokens.forget_others(frozenset())
    assert await tokens.of(pod("")) == {"": "t2"}
