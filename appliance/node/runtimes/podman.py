"""`PodmanRuntime`: containers through libpod's API.

Made by `detect.open_runtime`. Calls go through the SDK's `APIClient`, which speaks libpod's
paths; the SDK's objects above it lack namespaces to join and limits to set. Streams go through
`streams.py`. The driver translates values and errors and decides nothing.

Source: libpod API v4.0.0 (the oldest that Podman 4 and 5 both speak).
"""

import asyncio
import dataclasses
import json
import math
import os
import signal as signals
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from podman.api.client import APIClient
from podman.errors import APIError, PodmanError

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
from appliance.node.runtimes.podman_spec import (
    as_labels,
    container_of_summary,
    create_body,
    half_removed,
    image_path,
    size_params,
    tag_params,
)
from appliance.node.runtimes.sessions import Control, Session, hijack
from appliance.node.runtimes.streams import EngineStreams, Frames, Lines, in_parts, refused
from appliance.node.runtimes.tail import last_lines
from appliance.node.runtimes.threads import POOLED_CONNECTIONS, QUICK_DEADLINE_S, Threads
from appliance.node.runtimes.values import container_of, image_of, log_params

API_VERSION = "4.0.0"
PULL_DEADLINE_S = 3600.0  # a gigabyte on a slow line
LOAD_DEADLINE_S = 600.0
EXEC_PAUSE_S = 0.02
MAX_EXEC_OUTPUT_BYTES = 1 << 20  # probes and hooks print little; the rest is read and dropped
_EVENTS = ["start", "died", "oom", "remove"]


class PodmanRuntime:
    """One Podman service."""

    def __init__(self, endpoint: str, clock: Clock) -> None:
        self._removing = asyncio.Lock()
        self._endpoint = endpoint
        self._clock = clock
        self._threads = Threads("podman")
        self._streams = EngineStreams(endpoint)
        self._looks = SharedLooks(self._summaries)
        self._client: APIClient | None = None
        self._lock = threading.Lock()

    async def fingerprint(self) -> Fingerprint:
        """Ask for the facts; they have the versions in them."""
        facts = await self._quick("GET", "/info")
        host, version = facts["host"], facts["version"]
        return Fingerprint(
            engine="podman",
            version=version["Version"],
            api_version=version["APIVersion"],
            cgroup_driver=host.get("cgroupManager", ""),
            cgroup_version=int(host.get("cgroupVersion", "v1").removeprefix("v")),
            root_dir=facts["store"]["graphRoot"],
        )

    async def create(self, spec: ContainerSpec) -> str:
        """Make a container with one request."""
        body = create_body(spec, may_raise_limits=may_raise_limits())
        try:
            create = self._bound("POST", "/containers/create", None, body=body)
            made = await self._threads.heavy(create, begins=spec.begins_a_pod)
        except Unreachable:
            raise
        except RuntimeFault as error:  # a missing image comes with status 500, not 404
            text = str(error)
            missing = "image not known" in text or "no such image" in text
            raise (ImageMissing if missing else CreateFailed)(text) from error
        return str(made["Id"])

    async def start(self, container_id: str) -> None:
        """Start it; starting what runs is fine."""
        try:
            await self._heavy("POST", f"/containers/{container_id}/start")
        except (NotThere, Unreachable):
            raise
        except RuntimeFault as error:
            raise StartFailed(str(error)) from error

    async def stop(self, container_id: str, grace_s: float) -> None:
        """The engine's own stop: signal, wait, kill."""
        whole = math.ceil(grace_s)
        path, params = f"/containers/{container_id}/stop", {"timeout": str(whole)}
        deadline_s = whole + QUICK_DEADLINE_S
        call = partial(self._call, "POST", path, params=params, timeout_s=deadline_s)
        await self._threads.slow(call, deadline_s)

    async def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        """Send a signal; what does not run gets none, and that is fine."""
        try:
            await self._quick("POST", f"/containers/{container_id}/kill", {"signal": signal})
        except RuntimeFault as error:
            if "can only kill running containers" not in str(error):
                raise

    async def remove(self, container_id: str) -> None:
        """Remove by force and at once; what is gone is fine.

        Podman refuses to remove a container that others joined, unless they go with it. One at a
        time: removals of a sandbox and of what joined it, side by side, leave one behind in 4.3.
        """
        params = {"force": "true", "v": "true", "timeout": "0", "depend": "true"}
        try:
            async with self._removing:
                await self._heavy("DELETE", f"/containers/{container_id}", params)
        except NotThere:
            return

    async def inspect(self, container_id: str) -> Container:
        """Look at one container."""
        return container_of(await self._quick("GET", f"/containers/{container_id}/json"))

    async def list(self, marks: Mapping[str, str]) -> Sequence[Container]:
        """Find by labels; the list tells all there is to know of those that have not ended."""
        found = await self._looks.ask(marks)
        return await everyone(self._from_summary(summary) for summary in found)

    async def _from_summary(self, summary: Mapping[str, Any]) -> Container:
        alive = container_of_summary(summary)
        if alive is not None:
            return alive
        try:
            return await self.inspect(summary["Id"])
        except RuntimeFault as error:
            if "container not known" not in str(error):
                raise
            return half_removed(summary)

    async def _summaries(self, marks: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        params = {"all": "true", "filters": json.dumps({"label": as_labels(marks)})}
        found: list[Mapping[str, Any]] = await self._quick("GET", "/containers/json", params)
        return found

    async def disk_usage(self, marks: Mapping[str, str]) -> Mapping[str, int]:
        """Ask for the list with sizes."""
        params = {"all": "true", "size": "true"}
        params["filters"] = json.dumps({"label": as_labels(marks)})
        call = self._bound("GET", "/containers/json", params, body=None)
        found = await self._threads.slow(call, QUICK_DEADLINE_S)
        return {one["Id"]: int((one.get("Size") or {}).get("rwSize") or 0) for one in found}

    def events(self, marks: Mapping[str, str]) -> AsyncIterator[str]:
        """Follow events from this call on, even if reading starts later."""
        return self._events(marks, since=self._clock.wall())

    async def _events(self, marks: Mapping[str, str], since: float) -> AsyncIterator[str]:
        filters = {"type": ["container"], "event": _EVENTS, "label": as_labels(marks)}
        params = {"stream": "true", "since": f"{since:.6f}", "filters": json.dumps(filters)}
        lines = Lines()
        async with self._streams.open("GET", _path("/events"), params) as parts:
            async for part in parts:
                for event in lines.feed(part):
                    yield str(event["Actor"]["ID"])
        raise Unreachable(f"{self._endpoint} ended the events; has the service stopped?")

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[LogChunk]:
        """Read or follow; a terminal's output comes unframed, as stdout."""
        if options.tail_lines is None or options.follow:
            async for chunk in self._log(container_id, options):
                yield chunk
            return
        wider = dataclasses.replace(options, tail_lines=None)
        chunks = [chunk async for chunk in self._log(container_id, wider)]
        for chunk in last_lines(chunks, options.tail_lines):
            yield chunk

    async def _log(self, container_id: str, options: LogOptions) -> AsyncIterator[LogChunk]:
        looked = await self._quick("GET", f"/containers/{container_id}/json")
        tty = looked["Config"]["Tty"]
        frames = None if tty else Frames(stamped=options.timestamps)
        path = _path(f"/containers/{container_id}/logs")
        async with self._streams.open("GET", path, log_params(options)) as parts:
            async for part in parts:
                chunks = [LogChunk("stdout", part)] if frames is None else frames.feed(part)
                for chunk in chunks:
                    yield chunk

    async def exec(self, container_id: str, argv: Sequence[str], timeout_s: float) -> ExecResult:
        """Run a command; when it takes too long its process is killed."""
        wish = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}
        made = await self._quick("POST", f"/containers/{container_id}/exec", body=wish)
        exec_id, frames, output = made["Id"], Frames(), bytearray()
        path, body = _path(f"/exec/{exec_id}/start"), {"Detach": False, "Tty": False}
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
        seen: dict[str, Any] = await self._quick("GET", f"/exec/{exec_id}/json")
        return seen

    async def exec_stream(
        self, container_id: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> ExecStream:
        """Run a command on a hijacked connection."""
        wish = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}
        wish |= {"AttachStdin": stdin, "Tty": tty}
        made = await self._quick("POST", f"/containers/{container_id}/exec", body=wish)
        exec_path = f"/exec/{made['Id']}"
        control = Control(
            resize=lambda w, h: self._quick("POST", f"{exec_path}/resize", size_params(w, h)),
            look=lambda: self._quick("GET", f"{exec_path}/json"),
        )
        path, body = _path(f"{exec_path}/start"), {"Detach": False, "Tty": tty}
        connection = await hijack(self._endpoint, path, body)
        return Session(connection, control, self._clock, tty=tty)

    async def attach_stream(self, container_id: str, *, stdin: bool) -> ExecStream:
        """Join on a hijacked connection."""
        looked = await self._quick("GET", f"/containers/{container_id}/json")
        own = f"/containers/{container_id}"
        control = Control(
            resize=lambda w, h: self._quick("POST", f"{own}/resize", size_params(w, h)),
        )
        query = f"stream=true&stdin={str(stdin).lower()}&stdout=true&stderr=true"
        connection = await hijack(self._endpoint, _path(f"{own}/attach?{query}"))
        return Session(connection, control, self._clock, tty=looked["Config"]["Tty"])

    async def image(self, name: str) -> Image | None:
        """Find an image by name or id."""
        try:
            return image_of(await self._quick("GET", f"/images/{image_path(name)}/json"))
        except NotThere:
            return None

    async def images(self) -> Sequence[Image]:
        """All images."""
        return [image_of(found) for found in await self._quick("GET", "/images/json")]

    async def pull(self, name: str, *, auth: str = "", insecure: bool = False) -> Image:
        """Fetch; errors come inside the progress report."""
        params = {"reference": name, "policy": "always"}
        if insecure:
            params["tlsVerify"] = "false"
        headers = {"X-Registry-Auth": auth} if auth else None
        try:
            path, limit_s = _path("/images/pull"), PULL_DEADLINE_S
            report = await self._streams.complaint(path, params, headers=headers, timeout_s=limit_s)
        except Unreachable:
            raise
        except RuntimeFault as error:
            raise PullFailed(str(error)) from error
        if report:
            raise PullFailed(report)
        return image_of(await self._quick("GET", f"/images/{image_path(name)}/json"))

    async def tag(self, name: str, new_name: str) -> None:
        """Name it once more."""
        await self._quick("POST", f"/images/{image_path(name)}/tag", tag_params(new_name))

    async def load(self, archive: bytes | Path) -> None:
        """Import a docker-archive tar."""
        content = archive if isinstance(archive, bytes) else in_parts(archive)
        path, limit_s = _path("/images/load"), LOAD_DEADLINE_S
        report = await self._streams.complaint(path, {}, content=content, timeout_s=limit_s)
        if report:
            raise RuntimeFault(f"the archive was refused: {report}")

    async def remove_image(self, name: str) -> None:
        """Remove an image."""
        await self._quick("DELETE", f"/images/{image_path(name)}")

    async def close(self) -> None:
        """Close sockets and threads."""
        await self._streams.close()
        self._threads.close()
        if self._client is not None:
            self._client.close()

    # inside

    async def _quick(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Any = None,
    ) -> Any:
        return await self._threads.quick(self._bound(method, path, params, body=body))

    async def _heavy(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Any = None,
    ) -> Any:
        return await self._threads.heavy(self._bound(method, path, params, body=body))

    def _bound(
        self, method: str, path: str, params: Mapping[str, str] | None, *, body: Any
    ) -> Callable[[], Any]:
        deadline_s = QUICK_DEADLINE_S
        return partial(self._call, method, path, params=params, body=body, timeout_s=deadline_s)

    def _call(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        """One request, in a thread; turn the SDK's errors into ours."""
        try:
            client = self._connect()
            send: Callable[..., Any] = getattr(client, method.lower())
            settings: dict[str, Any] = {"params": params, "timeout": timeout_s}
            if body is not None:
                settings |= {
                    "data": json.dumps(body),
                    "headers": {"Content-Type": "application/json"},
                }
            answer = send(path, **settings)
        except (PodmanError, OSError) as error:
            said = error.explanation if isinstance(error, APIError) else error
            raise Unreachable(
                f"no Podman service answers at {self._endpoint} ({said}); "
                "start it (scripts/engine ensure --runtime podman) or name another endpoint"
            ) from error
        if answer.status_code >= 400:
            # some verbs tell of a container that is gone with status 500
            gone = "no such container" in answer.text
            raise refused(404 if gone else answer.status_code, answer.text)
        return answer.json() if answer.content.strip() else None

    def _connect(self) -> APIClient:
        with self._lock:
            if self._client is None:
                if self._endpoint.startswith("unix://"):
                    # The SDK leaves its own socket open when it can't connect.
                    with socket.socket(socket.AF_UNIX) as probe:
                        probe.connect(self._endpoint.removeprefix("unix://"))
                self._client = APIClient(
                    base_url=self._endpoint,
                    version=API_VERSION,
                    num_pools=1,
                    max_pool_size=POOLED_CONNECTIONS,
                )
            return self._client


def _path(rest: str) -> str:
    return f"/v{API_VERSION}/libpod{rest}"
