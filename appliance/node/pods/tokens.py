"""`PodTokens`: service-account tokens for the volumes of this node's pods, renewed in time.

Asked by `inputs` whenever a pod's volumes are set up or looked at again (--sync-frequency). A
token is asked for when there is none, when 80 % of its time are over, or when it is a day old.
While the API does not answer, a pod keeps the token that it has. Kept on disk (mode 0600), so
that a new start of the agent takes no token away. Bound: one entry per audience of a pod that
runs here; `forget_others` drops the rest.
Source: kubernetes `pkg/kubelet/token`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from appliance.api.errors import ApiError
from appliance.api.kinds.authentication.tokenrequest import (
    DEFAULT_S,
    BoundObjectReference,
    TokenRequest,
    TokenRequestSpec,
)
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.volumes import ServiceAccountTokenProjection
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT
from appliance.client.base import Client
from appliance.kit import jsonio
from appliance.kit.atomicfile import write_atomic
from appliance.kit.clock import Clock, parse_rfc3339

log = structlog.get_logger(__name__)

_RENEW_AT = 0.8
_DAY_S = 24 * 3600.0


class Token(msgspec.Struct, frozen=True):
    """A token and its time, in seconds since 1970."""

    text: str
    since: float
    until: float

    def is_due(self, now: float) -> bool:
        """Whether it is time for another one."""
        return now >= self.since + min(_RENEW_AT * (self.until - self.since), _DAY_S)


class PodTokens:
    """See the module."""

    def __init__(self, client: Client, clock: Clock, data_dir: Path) -> None:
        self._client = client
        self._clock = clock
        self._path = data_dir / "tokens.json"
        self._kept = _load(self._path)

    async def of(self, pod: Pod) -> Mapping[str, str]:
        """Give the tokens that a pod's volumes want, by audience.

        Raises:
            ApiError: there is no token, and none to be had.
        """
        found: dict[str, str] = {}
        if not pod.spec.serviceAccountName:
            return found  # a manifest of this node: it is nobody
        for wanted in _wanted(pod):
            found[wanted.audience] = await self._token(pod, wanted)
        return found

    def forget_others(self, uids: frozenset[str]) -> None:
        """Drop the tokens of pods that are not here any more."""
        gone = [key for key in self._kept if key.partition("/")[0] not in uids]
        for key in gone:
            del self._kept[key]
        if gone:
            self._save()

    async def _token(self, pod: Pod, wanted: ServiceAccountTokenProjection) -> str:
        account = pod.spec.serviceAccountName
        key = f"{pod.metadata.uid}/{account}/{wanted.expirationSeconds}/{wanted.audience}"
        kept, now = self._kept.get(key), self._clock.wall()
        if kept is not None and not kept.is_due(now):
            return kept.text
        try:
            made = await self._ask(pod, wanted)
        except ApiError as error:
            if kept is None:
                raise
            log.warning("token not renewed", pod=pod.metadata.name, error=str(error))
            return kept.text
        self._kept[key] = made
        self._save()
        return made.text

    async def _ask(self, pod: Pod, wanted: ServiceAccountTokenProjection) -> Token:
        meta = pod.metadata
        spec = TokenRequestSpec(
            audiences=[wanted.audience] if wanted.audience else None,
            expirationSeconds=wanted.expirationSeconds or DEFAULT_S,
            boundObjectRef=BoundObjectReference(
                kind="Pod", apiVersion="v1", name=meta.name, uid=meta.uid
            ),
        )
        asked: Any = TokenRequest(spec=spec)
        account: Any = SERVICE_ACCOUNT  # the answer is a TokenRequest, as the question
        now = self._clock.wall()
        answer: TokenRequest = await self._client.create(
            account,
            asked,
            namespace=meta.namespace,
            name=pod.spec.serviceAccountName,
            subresource="token",
        )
        until = answer.status.expirationTimestamp
        return Token(answer.status.token, now, now if until is None else parse_rfc3339(until))

    def _save(self) -> None:
        try:
            write_atomic(self._path, jsonio.dumps(self._kept))
        except OSError as error:  # a full disk must not stop pods: the next change tries again
            log.warning("tokens not kept", path=str(self._path), error=str(error))


def _wanted(pod: Pod) -> Iterator[ServiceAccountTokenProjection]:
    for volume in pod.spec.volumes:
        if volume.projected is None:
            continue
        for source in volume.projected.sources:
            if source.serviceAccountToken is not None:
                yield source.serviceAccountToken


def _load(path: Path) -> dict[str, Token]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Token])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("last tokens not read", path=str(path), error=str(error))
        return {}
