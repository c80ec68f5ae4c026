"""What keeps web pages of others from using a store that a browser can reach.

`hosts`: by which names it may be asked without TLS (else 421): a page whose name was made to lead
here afterwards can do nothing. `origins`: which pages may read answers (CORS). etcd allows all of
both by default; here no other page is allowed in unless it is named, or `*`.

Source: etcd server/embed/serve.go (access controller), pkg/cors.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from appliance.store.serve.http1 import HttpRequest, HttpResponse

ANY = "*"
_CORS = {
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE",
    "Access-Control-Allow-Headers": "accept, content-type, authorization",
}


@dataclass(frozen=True, slots=True)
class Browsers:
    """Names and origins; no hosts: any name will do."""

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    async def answer(
        self, request: HttpRequest, page: Callable[[HttpRequest], Awaitable[HttpResponse]]
    ) -> HttpResponse:
        """Ask the page, if it may be asked."""
        if (refused := self.refusal(request)) is not None:
            return refused
        origin = self._allowed_origin(request)
        if not origin:
            return await page(request)
        headers = {**_CORS, "Access-Control-Allow-Origin": origin}
        if request.method == "OPTIONS":
            return HttpResponse(headers=headers)
        response = await page(request)
        return replace(response, headers={**response.headers, **headers})

    def refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Why a request cannot be for us."""
        if request.tls or not self.hosts or ANY in self.hosts:
            return None
        host = _host(request.headers.get(b"host", b"").decode("latin-1"))
        if host in self.hosts:
            return None
        text = f"the name {host!r} is not one of --host-whitelist\n"
        return HttpResponse(status=421, body=text.encode())

    def _allowed_origin(self, request: HttpRequest) -> str:
        if ANY in self.origins:
            return ANY
        origin = request.headers.get(b"origin", b"").decode("latin-1")
        return origin if origin in self.origins else ""


def _host(text: str) -> str:
    """A name without its port."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]
