"""`FakeRuntime`: an engine in memory, with scripted faults; shipped for tests and demos.

Containers are records; "running" one costs nothing. A test drives it as the world would:
`finish` ends a container, `vanish` removes one behind the agent's back, `fail_next` makes the
next call of a verb raise, `on_start` says how containers of an image end, `on_exec` answers
commands. Everything lives as long as the object; nothing is bounded, tests are short.
"""

import asyncio
import io
import tarfile
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from appliance.kit import jsonio
from appliance.kit.clock import Clock
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
    State,
)
from appliance.node.runtimes.fake_sessions import FakeSession

SIGKILL_CODE = 137
SIGTERM_CODE = 143


@dataclass(slots=True)
class _Output:
    """What a container wrote, with times, and who waits for more."""

    lines: list[tuple[float, LogChunk]] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def poke(self) -> None:
        self.grown.set()
        self.grown = asyncio.Event()


def _nothing_to_exec(_container: Container, _argv: Sequence[str]) -> ExecResult:
    return ExecResult(0, b"")


class FakeRuntime:
    """An engine whose every container is a record in a dict."""

    def __init__(self, clock: Clock, *, images: Sequence[str] = (), registry: Sequence[str] = ()):
        self._clock = clock
        self._serial = count(1)
        self._containers: dict[str, Container] = {}
        self._outputs: dict[str, _Output] = defaultdict(_Output)
        self._listeners: list[tuple[Mapping[str, str], asyncio.Queue[str]]] = []
        self._faults: dict[str, deque[Exception]] = defaultdict(deque)
        self._images: dict[str, Image] = {}
        self.registry = set(registry)
        """Names that `pull` can fetch."""
        self.specs: dict[str, ContainerSpec] = {}
        """The spec of each container ever made, by id."""
        self.on_start: dict[str, int] = {}
        """Containers of these images end at once with this exit code."""
        self.on_exec: Callable[[Container, Sequence[str]], ExecResult] = _nothing_to_exec
        """Answers `exec`; may raise TimeoutError."""
        self.sessions: list[FakeSession] = []
        """All that `exec_stream` and `attach_stream` ever gave."""
        self.logins: dict[str, set[str]] = {}
        """Names that are pulled with one of these only."""
        self.pulls: list[tuple[str, str, bool]] = []
        """Every pull: name, login, whether insecure."""
        self.written: dict[str, int] = {}
        """What `disk_usage` says, by id."""
        self.deaf: set[str] = set()
        """Containers of these images ignore SIGTERM: stopping them takes the whole grace."""
        for name in images:
            self.add_image(name)

    # what the world does

    def add_image(self, name: str) -> Image:
        """Put an image on this host."""
        image = Image(id=f"sha256:{next(self._serial):064x}", names=(name,))
        self._images[name] = image
        return image

    def resize(self, name: str, size_bytes: int) -> None:
        """Give an image a size."""
        self._images[name] = replace(self._images[name], size_bytes=size_bytes)

    def finish(self, container_id: str, exit_code: int, *, oom_killed: bool = False) -> None:
        """A container's process ends by itself."""
        self._end(container_id, exit_code, oom_killed=oom_killed)

    def vanish(self, container_id: str) -> None:
        """Somebody removes a container behind the agent's back."""
        gone = self._containers.pop(container_id)
        self._outputs[container_id].poke()
        self._tell(gone)

    def say(self, container_id: str, text: str, stream: str = "stdout") -> None:
        """A container writes to its output."""
        output = self._outputs[container_id]
        output.lines.append((self._clock.wall(), LogChunk(stream, text.encode())))
        output.poke()

    def fail_next(self, verb: str, error: Exception, times: int = 1) -> None:
        """Make the next `times` calls of `verb` raise `error`."""
        self._faults[verb].extend([error] * times)

    # the protocol

    async def fingerprint(self) -> Fingerprint:
        """The engine named "fake"."""
        self._trip("fingerprint")
        return Fingerprint(engine="fake", version="1.0", api_version="1.0")

    async def create(self, spec: ContainerSpec) -> str:
        """Keep a record."""
        self._trip("create")
        image = self._find_image(spec.image)
        if image is None:
            raise ImageMissing(f"no image {spec.image} here")
        if any(c.name == spec.name for c in self._containers.values()):
            raise CreateFailed(f"the name {spec.name} is in use")
        new_id = f"{next(self._serial):064x}"
        self.specs[new_id] = spec
        self._containers[new_id] = Container(
            id=new_id,
            name=spec.name,
            image=spec.image,
            image_id=image.id,
            marks=dict(spec.marks),
            state=State.CREATED,
            created_at=self._clock.wall(),
        )
        return new_id

    async def start(self, container_id: str) -> None:
        """Say that it runs; `on_start` may end it at once."""
        self._trip("start")
        made = self._get(container_id)
        if made.state is State.RUNNING:
            return
        self._containers[container_id] = replace(
            made, state=State.RUNNING, pid=next(self._serial) + 1000, started_at=self._clock.wall()
        )
        self._tell(made)
        if made.image in self.on_start:
            self._end(container_id, self.on_start[made.image])

    async def stop(self, container_id: str, grace_s: float) -> None:
        """End it with 143, or with 137 after the grace if its image is deaf."""
        self._trip("stop")
        running = self._get(container_id)
        if running.state is not State.RUNNING:
            return
        if running.image in self.deaf:
            await self._clock.sleep(grace_s)
        still = self._containers.get(container_id)
        if still is not None and still.state is State.RUNNING:
            code = SIGKILL_CODE if running.image in self.deaf or grace_s <= 0 else SIGTERM_CODE
            self._end(container_id, code)

    async def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        """End it with 137, or 143 for SIGTERM."""
        self._trip("kill")
        if self._get(container_id).state is State.RUNNING:
            self._end(container_id, SIGTERM_CODE if signal == "SIGTERM" else SIGKILL_CODE)

    async def remove(self, container_id: str) -> None:
        """Forget it."""
        self._trip("remove")
        if container_id in self._containers:
            self.vanish(container_id)

    async def inspect(self, container_id: str) -> Container:
        """Give the record."""
        self._trip("inspect")
        return self._get(container_id)

    async def list(self, marks: Mapping[str, str]) -> Sequence[Container]:
        """All records with these marks, in the order they were made."""
        self._trip("list")
        return [c for c in self._containers.values() if _carries(c, marks)]

    async def events(self, marks: Mapping[str, str]) -> AsyncIterator[str]:
        """Yield ids as things happen."""
        mine: asyncio.Queue[str] = asyncio.Queue()
        entry = (dict(marks), mine)
        self._listeners.append(entry)
        try:
            while True:
                yield await mine.get()
        finally:
            self._listeners.remove(entry)

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[LogChunk]:
        """What was said; with `follow` also what will be."""
        self._get(container_id)
        output = self._outputs[container_id]
        chosen = [e for e in output.lines if _shown(e, options)]
        if options.tail_lines is not None:
            chosen = chosen[len(chosen) - min(options.tail_lines, len(chosen)) :]
        for _, chunk in chosen:
            yield chunk
        done = len(output.lines)
        while options.follow:
            for entry in output.lines[done:]:
                if _shown(entry, options):
                    yield entry[1]
            done = len(output.lines)
            now = self._containers.get(container_id)
            if now is None or now.state is not State.RUNNING:
                return
            await output.grown.wait()

    async def exec(self, container_id: str, argv: Sequence[str], timeout_s: float) -> ExecResult:  # noqa: ARG002
        """Ask `on_exec`."""
        self._trip("exec")
        return self.on_exec(self._get(container_id), argv)

    async def exec_stream(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        stdin: bool,
        tty: bool,  # noqa: ARG002
    ) -> ExecStream:
        """Ask `on_exec`; with `stdin` echo first. `tty` changes nothing."""
        self._trip("exec_stream")
        result = self.on_exec(self._get(container_id), argv)
        self.sessions.append(FakeSession(result, stdin=stdin))
        return self.sessions[-1]

    async def attach_stream(self, container_id: str, *, stdin: bool) -> ExecStream:  # noqa: ARG002
        """Echo; without `stdin` a test says when it ends."""
        self._trip("attach_stream")
        self._get(container_id)
        self.sessions.append(FakeSession(ExecResult(0, b""), stdin=True))
        return self.sessions[-1]

    async def disk_usage(self, marks: Mapping[str, str]) -> Mapping[str, int]:
        """What a test put into `written`."""
        return {c.id: self.written.get(c.id, 0) for c in await self.list(marks)}

    async def image(self, name: str) -> Image | None:
        """Find an image by name or id."""
        self._trip("image")
        return self._find_image(name)

    async def images(self) -> Sequence[Image]:
        """All images."""
        return list(self._images.values())

    async def pull(self, name: str, *, auth: str = "", insecure: bool = False) -> Image:
        """Fetch what `registry` has, where `logins` wants one with that."""
        self._trip("pull")
        self.pulls.append((name, auth, insecure))
        if name in self.logins and auth not in self.logins[name]:
            raise PullFailed(f"pull access denied for {name}")
        if name not in self.registry:
            raise PullFailed(f"no registry has {name}")
        return self._images.get(name) or self.add_image(name)

    async def tag(self, name: str, new_name: str) -> None:
        """The same image, another name."""
        self._images[new_name] = replace(self._images[name], names=(new_name,))

    async def load(self, archive: bytes | Path) -> None:
        """Keep the names of a docker-archive."""
        self._trip("load")
        raw = archive if isinstance(archive, bytes) else await asyncio.to_thread(archive.read_bytes)
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            manifest = tar.extractfile("manifest.json")
            entries = jsonio.loads(manifest.read()) if manifest is not None else []
        for entry in entries:
            for name in entry["RepoTags"]:
                self.add_image(name)

    async def remove_image(self, name: str) -> None:
        """Forget an image.

        Raises:
            NotThere: there is none.
        """
        if self._images.pop(name, None) is None:
            raise NotThere(f"no image {name}")

    async def close(self) -> None:
        """Nothing to free."""

    # inside

    def _get(self, container_id: str) -> Container:
        found = self._containers.get(container_id)
        if found is None:
            raise NotThere(f"no container {container_id[:12]}")
        return found

    def _find_image(self, name: str) -> Image | None:
        if name in self._images:
            return self._images[name]
        return next((i for i in self._images.values() if i.id == name), None)

    def _end(self, container_id: str, exit_code: int, *, oom_killed: bool = False) -> None:
        ended = replace(
            self._get(container_id),
            state=State.EXITED,
            pid=0,
            exit_code=exit_code,
            oom_killed=oom_killed,
            finished_at=self._clock.wall(),
        )
        self._containers[container_id] = ended
        self._outputs[container_id].poke()
        self._tell(ended)

    def _tell(self, about: Container) -> None:
        for marks, queue in self._listeners:
            if _carries(about, marks):
                queue.put_nowait(about.id)

    def _trip(self, verb: str) -> None:
        if self._faults[verb]:
            raise self._faults[verb].popleft()


def _carries(container: Container, marks: Mapping[str, str]) -> bool:
    return marks.items() <= container.marks.items()


def _shown(entry: tuple[float, LogChunk], options: LogOptions) -> bool:
    at, chunk = entry
    if options.since is not None and at < options.since:
        return False
    return options.stdout if chunk.stream == "stdout" else options.stderr
