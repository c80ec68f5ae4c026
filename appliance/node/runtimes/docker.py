"""`DockerRuntime`: containers through the Docker Engine API.

Made by `detect.open_runtime`. Calls go through the SDK's low-level client, one request each (its
high-level objects add an inspect to everything); streams go through `streams.py`. The driver
translates values and errors and decides nothing. It keeps nothing but connections.

Source: Docker Engine API v1.41 (engine 20.10) and later.
"""

import asyncio
import math
import os
import signal as signals
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.transport import UnixHTTPAdapter
from docker.utils import convert_filters, parse_repository_tag
from typing_extensions import override

from appliance.kit.clock import Clock
from appliance.kit.limits import may_raise_limits
from appliance.node.runtimes.base import (
    Container,
    ContainerSpec,
    CreateFailed,
    ExecResult,
    ExecStream,
    Fingerprint,
    Image,
    ImageMissing,
    LogChunk,
    LogOptions,
    NotThere,
    PullFailed,
    RuntimeFault,
    StartFailed,
    Unreachable,
)
from appliance.node.runtimes.listing import SharedLooks, everyone
from appliance.node.runtimes.sessions import Control, Session, hijack
from appliance.node.runtimes.streams import EngineStreams, Frames, Lines, in_parts
from appliance.node.runtimes.threads import POOLED_CONNECTIONS, QUICK_DEADLINE_S, Threads
from appliance.node.runtimes.values import (
    container_config,
    container_of,
    image_of,
    log_params,
)

T = TypeVar("T")

PULL_DEADLINE_S = 3600.0  # a gigabyte on a slow line
LOAD_DEADLINE_S = 600.0
EXEC_PAUSE_S = 0.02
MAX_EXEC_OUTPUT_BYTES = 1 << 20  # probes and hooks print little; the rest is read and dropped
_ANY_URL = "http+docker://"
_EVENTS = ["start", "die", "oom", "destroy"]


class DockerRuntime:
    """One Docker engine."""

    def __init__(self, endpoint: str, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._threads = Threads("docker")
        self._streams = EngineStreams(endpoint)
        self._looks = SharedLooks(self._summaries)
        self._client: docker.APIClient | None = None
        self._lock = threading.Lock()

    async def fingerprint(self) -> Fingerprint:
        """Ask for version and facts."""
        version = await self._quick(lambda api: api.version())
        facts = await self._quick(lambda api: api.info())
        return Fingerprint(
            engine="docker",
            version=version["Version"],
            api_version=version["ApiVersion"],
            cgroup_driver=facts.get("CgroupDriver", ""),
            cgroup_version=int(facts.get("CgroupVersion", "1")),
            root_dir=facts.get("DockerRootDir", ""),
            warnings=tuple(facts.get("Warnings") or ()),
        )

    async def create(self, spec: ContainerSpec) -> str:
        """Make a container with one request."""
        config = container_config(spec, may_lower_oom_score=may_raise_limits())
        try:
            made = await self._heavy(
                lambda api: api.create_container_from_config(config, spec.name),
                begins=spec.begins_a_pod,
            )
        except NotThere as error:
            # 404 speaks of the image, or of the container whose namespace was to be joined.
            if "image" in str(error).lower():
                raise ImageMissing(str(error)) from error
            raise CreateFailed(str(error)) from error
        except Unreachable:
            raise
        except RuntimeFault as error:
            raise CreateFailed(str(error)) from error
        return str(made["Id"])

    async def start(self, container_id: str) -> None:
        """Start it; starting what runs is fine."""
        try:
            await self._heavy(lambda api: api.start(container_id))
        except (NotThere, Unreachable):
            raise
        except RuntimeFault as error:
            raise StartFailed(str(error)) from error

    async def stop(self, container_id: str, grace_s: float) -> None:
        """The engine's own stop: signal, wait, kill."""
        whole = math.ceil(grace_s)
        await self._slow(
            lambda api: api.stop(container_id, timeout=whole), whole + QUICK_DEADLINE_S
        )

    async def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        """Send a signal; what does not run gets none, and that is fine."""
        try:
            await self._quick(lambda api: api.kill(container_id, signal))
        except RuntimeFault as error:
            if "is not running" not in str(error):
                raise

    async def remove(self, container_id: str) -> None:
        """Remove by force; what is gone is fine."""
        try:
            await self._heavy(lambda api: api.remove_container(container_id, v=True, force=True))
        except NotThere:
            return
        except RuntimeFault as error:
            if "already in progress" not in str(error):
                raise

    async def inspect(self, container_id: str) -> Container:
        """Look at one container."""
        return container_of(await self._quick(lambda api: api.inspect_container(container_id)))

    async def list(self, marks: Mapping[str, str]) -> Sequence[Container]:
        """Find by labels, then look at each at once: the list has no times and exit codes."""
        found = await self._looks.ask(marks)
        return await everyone(self.inspect(summary["Id"]) for summary in found)

    async def _summaries(self, marks: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        filters = {"label": [f"{name}={value}" for name, value in marks.items()]}
        return await self._quick(lambda api: api.containers(all=True, filters=filters))

    async def disk_usage(self, marks: Mapping[str, str]) -> Mapping[str, int]:
        """Ask for the list with sizes."""
        filters = {"label": [f"{name}={value}" for name, value in marks.items()]}
        found = await self._slow(
            lambda api: api.containers(all=True, size=True, filters=filters), QUICK_DEADLINE_S
        )
        return {one["Id"]: int(one.get("SizeRw") or 0) for one in found}

    def events(self, marks: Mapping[str, str]) -> AsyncIterator[str]:
        """Follow events from this call on, even if reading starts later."""
        return self._events(marks, since=self._clock.wall())

    async def _events(self, marks: Mapping[str, str], since: float) -> AsyncIterator[str]:
        labels = [f"{name}={value}" for name, value in marks.items()]
        filters = {"type": ["container"], "event": _EVENTS, "label": labels}
        params = {"since": f"{since:.6f}", "filters": convert_filters(filters)}
        lines = Lines()
        async with self._streams.open("GET", await self._path("/events"), params) as parts:
            async for part in parts:
                for event in lines.feed(part):
                    yield str(event["Actor"]["ID"])
        raise Unreachable(f"{self._endpoint} ended the events; has the engine stopped?")

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[LogChunk]:
        """Read or follow; a terminal's output comes unframed, as stdout."""
        looked = await self._quick(lambda api: api.inspect_container(container_id))
        frames = None if looked["Config"]["Tty"] else Frames()
        path = await self._path(f"/containers/{container_id}/logs")
        async with self._streams.open("GET", path, log_params(options)) as parts:
            async for part in parts:
                chunks = [LogChunk("stdout", part)] if frames is None else frames.feed(part)
                for chunk in chunks:
                    yield chunk

    async def exec(self, container_id: str, argv: Sequence[str], timeout_s: float) -> ExecResult:
        """Run a command; when it takes too long its process is killed."""
        made = await self._quick(lambda api: api.exec_create(container_id, list(argv)))
        exec_id, frames, output = made["Id"], Frames(), bytearray()
        path, body = await self._path(f"/exec/{exec_id}/start"), {"Detach": False, "Tty": False}
        try:
            async with asyncio.timeout(timeout_s):
                async with self._streams.open("POST", path, body=body) as parts:
                    async for part in parts:
                        for chunk in frames.feed(part):
                            output += chunk.data[: MAX_EXEC_OUTPUT_BYTES - len(output)]
                # A command may close its output and go on; the engine may be a moment late.
                while (seen := await self._look_at_exec(exec_id))["Running"]:
                    await self._clock.sleep(EXEC_PAUSE_S)
        except TimeoutError:
            late = await self._look_at_exec(exec_id)
            if late["Running"] and late["Pid"]:
                os.kill(late["Pid"], signals.SIGKILL)
            raise TimeoutError(f"{argv[0]} took longer than {timeout_s:g} s") from None
        return ExecResult(int(seen["ExitCode"]), bytes(output))

    async def _look_at_exec(self, exec_id: str) -> dict[str, Any]:
        return await self._quick(lambda api: api.exec_inspect(exec_id))

    async def exec_stream(
        self, container_id: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> ExecStream:
        """Run a command on a hijacked connection."""
        made = await self._quick(
            lambda api: api.exec_create(container_id, list(argv), stdin=stdin, tty=tty)
        )
        exec_id = made["Id"]
        path, body = await self._path(f"/exec/{exec_id}/start"), {"Detach": False, "Tty": tty}
        control = Control(
            resize=lambda w, h: self._quick(lambda api: api.exec_resize(exec_id, h, w)),
            look=lambda: self._quick(lambda api: api.exec_inspect(exec_id)),
        )
        connection = await hijack(self._endpoint, path, body)
        return Session(connection, control, self._clock, tty=tty)

    async def attach_stream(self, container_id: str, *, stdin: bool) -> ExecStream:
        """Join on a hijacked connection."""
        looked = await self._quick(lambda api: api.inspect_container(container_id))
        query = f"stream=1&stdin={int(stdin)}&stdout=1&stderr=1"
        path = await self._path(f"/containers/{container_id}/attach?{query}")
        control = Control(
            resize=lambda w, h: self._quick(lambda api: api.resize(container_id, h, w))
        )
        connection = await hijack(self._endpoint, path)
        return Session(connection, control, self._clock, tty=looked["Config"]["Tty"])

    async def image(self, name: str) -> Image | None:
        """Find an image by name or id."""
        try:
            return image_of(await self._quick(lambda api: api.inspect_image(name)))
        except NotThere:
            return None

    async def images(self) -> Sequence[Image]:
        """All images."""
        return [image_of(found) for found in await self._quick(lambda api: api.images())]

    async def pull(self, name: str, *, auth: str = "", insecure: bool = False) -> Image:  # noqa: ARG002
        """Fetch; errors come inside the progress report. Which registries may be spoken with in
        the clear stands in dockerd's own file.
        """
        headers = {"X-Registry-Auth": auth} if auth else None
        repository, tag = parse_repository_tag(name)
        # Without a tag the engine would fetch all of them.
        params = {"fromImage": repository, "tag": tag or "latest"}
        path = await self._path("/images/create")
        try:
            report = await self._streams.complaint(
                path, params, headers=headers, timeout_s=PULL_DEADLINE_S
            )
        except Unreachable:
            raise
        except RuntimeFault as error:
            raise PullFailed(str(error)) from error
        if report:
            raise PullFailed(report)
        return image_of(await self._quick(lambda api: api.inspect_image(name)))

    async def tag(self, name: str, new_name: str) -> None:
        """Name it once more."""
        repository, tag = parse_repository_tag(new_name)
        await self._quick(lambda api: api.tag(name, repository, tag or "latest", force=True))

    async def load(self, archive: bytes | Path) -> None:
        """Import a docker-archive tar."""
        report = await self._streams.complaint(
            await self._path("/images/load"),
            {"quiet": "1"},
            content=archive if isinstance(archive, bytes) else in_parts(archive),
            timeout_s=LOAD_DEADLINE_S,
        )
        if report:
            raise RuntimeFault(f"the archive was refused: {report}")

    async def remove_image(self, name: str) -> None:
        """Remove an image."""
        await self._quick(lambda api: api.remove_image(name))

    async def close(self) -> None:
        """Close sockets and threads."""
        await self._streams.close()
        self._threads.close()
        if self._client is not None:
            self._client.close()

    # inside

    def _connect(self) -> Any:
        """Made on first use, in a thread: it asks the engine which API it speaks."""
        with self._lock:
            if self._client is None:
                self._client = _client(self._endpoint)
            return self._client

    async def _path(self, rest: str) -> str:
        """With the API version that engine and SDK agreed on."""
        return f"/v{await self._quick(lambda api: api.api_version)}{rest}"

    async def _quick(self, call: Callable[[Any], T]) -> T:
        return await self._threads.quick(partial(self._translated, call))

    async def _heavy(self, call: Callable[[Any], T], *, begins: bool = False) -> T:
        return await self._threads.heavy(partial(self._translated, call), begins=begins)

    async def _slow(self, call: Callable[[Any], T], timeout_s: float) -> T:
        return await self._threads.slow(partial(self._translated, call), timeout_s)

    def _translated(self, call: Callable[[Any], T]) -> T:
        """Make a call, in a thread; turn the SDK's errors into ours."""
        try:
            return call(self._connect())
        except (NotFound, ImageNotFound) as error:
            raise NotThere(_said(error)) from error
        except APIError as error:
            raise RuntimeFault(_said(error)) from error
        except (DockerException, OSError) as error:
            raise Unreachable(
                f"no Docker engine answers at {self._endpoint} ({error}); "
                "start it (scripts/engine ensure --runtime docker) or name another endpoint"
            ) from error


class _OnePool(UnixHTTPAdapter):
    """All requests share one pool of connections.

    The SDK's own adapter has a pool for each URL and closes the 26th oldest, whoever is using
    it: with many containers at once that loses requests, and no connection is ever used twice.
    """

    @override
    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        return super().get_connection(_ANY_URL)


def _client(endpoint: str) -> docker.APIClient:
    if endpoint.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:  # the SDK leaves its own open if this fails
            probe.connect(endpoint.removeprefix("unix://"))
    timeout_s, threads = int(QUICK_DEADLINE_S), POOLED_CONNECTIONS
    client = docker.APIClient(endpoint, version="auto", timeout=timeout_s, max_pool_size=threads)
    if endpoint.startswith("unix://"):
        path = endpoint.removeprefix("unix://")
        client.get_adapter(_ANY_URL).close()
        client.mount(_ANY_URL, _OnePool(path, timeout_s, max_pool_size=threads))
    return client


def _said(error: APIError) -> str:
    return str(error.explanation or error)
