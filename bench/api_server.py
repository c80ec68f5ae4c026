"""Speed of the API server's app, without sockets: `python -m bench.api_server`.

Real routes, access checks, registry and caches over a MemoryStore; what is left out is TLS and
the wire. Prints requests per second, and events per second to many watchers at once.
"""

import asyncio
import random
import time
from typing import Any

import uvloop

from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.meta import ObjectMeta
from appliance.control.access.authn import CertificatesAndTokens, StaticToken
from appliance.control.http.app import Parts, build_app
from appliance.control.registry.base import Call, Query, User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit import jsonio
from appliance.kit.clock import SystemClock
from appliance.store.memory import MemoryStore

ADMIN = User(name="admin", groups=("system:masters",))
PATH = "/api/v1/namespaces/bench/configmaps"
TABLE = b"application/json;as=Table;v=v1;g=meta.k8s.io"
OBJECTS, WATCHERS, EVENTS = 500, 300, 100
SECONDS = 2.0


class Asgi:
    """Calls the app as a server would."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def call(self, method: str, path: str, body: bytes = b"", accept: bytes = b"*/*") -> int:
        """One request; gives the size of its answer."""
        size = 0

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal size
            assert message.get("status", 200) < 300, message
            size += len(message.get("body", b""))

        await self._app(scope(method, path, accept), receive, send)
        return size

    async def watch(self, got: Any, stop: asyncio.Event) -> None:
        """Watch everything until `stop`; `got(n)` hears of lines."""

        async def receive() -> Any:
            await stop.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            got(message.get("body", b"").count(b"\n"))

        await self._app(scope("GET", PATH, b"*/*", b"watch=1&resourceVersion=0"), receive, send)


def scope(method: str, path: str, accept: bytes, query: bytes = b"") -> dict[str, Any]:
    """What a server tells of a request."""
    headers = [(b"authorization", b"Bearer t"), (b"user-agent", b"bench/1"), (b"accept", accept)]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": headers,
        "http_version": "1.1",
        "scheme": "https",
        "client": None,
        "server": None,
        "root_path": "",
        "state": {},
    }


async def rate(name: str, call: Any) -> None:
    """Call for a while, one after the other, and print how often."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        await call(count)
        count += 1
    print(f"{name:<34} {count / (time.perf_counter() - started):>10,.0f} /s")


async def fan_out(asgi: Asgi, registry: StoreRegistry) -> None:
    """Many watchers of the same objects."""
    seen, all_seen, stop = 0, asyncio.Event(), asyncio.Event()
    existing = len((await registry.list(CONFIG_MAP, Query())).items) * WATCHERS
    wanted = existing

    def got(lines: int) -> None:
        nonlocal seen
        seen += lines
        if seen >= wanted:
            all_seen.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(WATCHERS):
            group.create_task(asgi.watch(got, stop))
        await all_seen.wait()
        all_seen.clear()
        wanted = existing + EVENTS * WATCHERS
        started = time.perf_counter()
        for number in range(EVENTS):
            obj = ConfigMap(metadata=ObjectMeta(name=f"w{number}"), data={"k": "v" * 500})
            await registry.create(CONFIG_MAP, obj, namespace="bench", call=Call(user=ADMIN))
        await all_seen.wait()
        took = time.perf_counter() - started
        stop.set()
    print(f"{f'events to {WATCHERS} watchers':<34} {EVENTS * WATCHERS / took:>10,.0f} /s")


async def main() -> None:
    """Measure."""
    clock = SystemClock()
    store = MemoryStore(clock)
    async with StoreRegistry(store, clock=clock, rng=random.SystemRandom()) as registry:
        tokens = CertificatesAndTokens([StaticToken("t", ADMIN)])
        asgi = Asgi(build_app(Parts(registry=registry, authenticator=tokens)))
        meta = ObjectMeta(name="bench")
        call = Call(user=ADMIN)
        await registry.create(NAMESPACE, Namespace(metadata=meta), namespace="", call=call)

        def body(number: int) -> bytes:
            return jsonio.dumps({"metadata": {"name": f"c{number}"}, "data": {"k": "v" * 500}})

        for number in range(OBJECTS):
            await asgi.call("POST", PATH, body(number))
        await rate("get", lambda _: asgi.call("GET", f"{PATH}/c7"))
        await rate(f"list of {OBJECTS}", lambda _: asgi.call("GET", PATH))
        await rate(f"table of {OBJECTS}", lambda _: asgi.call("GET", PATH, accept=TABLE))
        await rate("create", lambda n: asgi.call("POST", PATH, body(OBJECTS + n)))
        await asgi.call("DELETE", PATH)
        await fan_out(asgi, registry)
    await store.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
