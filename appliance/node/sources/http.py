"""Static pods behind a URL, asked for every `period_s` (20 s, `--http-check-frequency`).

Only an answer 200 counts; 304 says that nothing changed (a server that gives an ETag or a date is
asked by it), an empty body that no pods are wanted, and everything else leaves what runs alone.
"""

from collections.abc import AsyncIterator, Sequence

import httpx

from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.clock import Clock
from appliance.node.sources.complaints import Complaints
from appliance.node.sources.kept import Kept
from appliance.node.sources.manifest import SIZE_MAX

ANSWER_S = 10.0
UNCHANGED = 304


class HttpSource:
    """A URL as a source."""

    name = "http"

    def __init__(
        self, url: str, *, period_s: float, clock: Clock, kept: Kept, complaints: Complaints
    ) -> None:
        self._url = url
        self._period_s = period_s
        self._clock = clock
        self._kept = kept
        self._complaints = complaints
        self._known: bytes | None = None
        self._conditions: dict[str, str] = {}

    async def snapshots(self) -> AsyncIterator[Sequence[Pod]]:
        """All pods of the URL, when its content changed."""
        async with httpx.AsyncClient(timeout=ANSWER_S, follow_redirects=True) as http:
            while True:
                body = await self._changed(http)
                if body is not None:
                    yield self._kept.take({self._url: body})
                await self._clock.sleep(self._period_s)

    async def _changed(self, http: httpx.AsyncClient) -> bytes | None:
        """The body if it is a new one."""
        headers = {"Accept": "application/json, application/yaml, */*", **self._conditions}
        try:
            async with http.stream("GET", self._url, headers=headers) as answer:
                body = await self._body(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._complaints.tell(self._url, str(error) or type(error).__name__)
            return None
        if body is None or body == self._known:
            return None
        self._known = body
        return body

    async def _body(self, answer: httpx.Response) -> bytes | None:
        if answer.status_code == UNCHANGED:
            return None
        if answer.status_code != httpx.codes.OK:
            self._complaints.tell(self._url, f"answers {answer.status_code}, not 200")
            return None
        body = b""
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > SIZE_MAX:  # refused when it is read: the rest is not worth having
                break
        self._conditions = {
            ask: answer.headers[given]
            for ask, given in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
            if given in answer.headers
        }
        return body
