"""The `Runtime` protocol: what the agent asks of a container engine.

What every implementation promises (`tests/contract/test_runtime.py`):

* containers are found again by their marks (labels) after the agent or the engine restarted;
* `stop` sends the stop signal, waits `grace_s`, then kills; stopping what has stopped is fine;
* `remove` of what is gone is fine; all other calls on missing containers raise `NotThere`;
* removing a container whose namespaces others joined may take them along (Podman): whoever
  still needs them removes it last;
* `events` yields after each start, death or removal of a container that carries the marks it
  was given; it may say too much, never too little: consumers look again;
* no policy: no restarts, no retries, no image choice.

    RuntimeFault
      NotThere        no such container or image
      Unreachable     the engine does not answer
      ImageMissing    the image is not here (pull it)
      PullFailed      the registry refused or can't be reached
      CreateFailed    the engine refuses the container (bad command, mount, name in use)
      StartFailed     it could not be started
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol


class RuntimeFault(Exception):
    """Base of all engine errors; `str()` says what the engine said."""


class NotThere(RuntimeFault):
    """No such container or image."""


class Unreachable(RuntimeFault):
    """The engine does not answer; `str()` says at which address and what to do."""


class ImageMissing(RuntimeFault):
    """The image is not on this host."""


class PullFailed(RuntimeFault):
    """The image could not be fetched."""


class CreateFailed(RuntimeFault):
    """The engine refuses to make the container."""


class StartFailed(RuntimeFault):
    """The container was made but could not be started."""


class State(Enum):
    """Where a container is in its life."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path inside the container; `propagation` is "", "rshared" or "rslave"."""

    source: str
    target: str
    read_only: bool = False
    propagation: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """cgroup limits; None leaves the engine's default."""

    cpu_shares: int | None = None
    cpu_quota_us: int | None = None
    cpu_period_us: int | None = None
    memory_bytes: int | None = None
    pids: int | None = None
    oom_score_adj: int | None = None


@dataclass(frozen=True, slots=True)
class Security:
    """Who the process is and what it may do."""

    user: str = ""
    groups: tuple[str, ...] = ()
    privileged: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    read_only_root: bool = False
    no_new_privileges: bool = False
    sysctls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A container to make.

    `network` is "none" (own empty namespace), "host" or "container:<id>"; `pid` and `ipc` are
    "" (own), "host" or "container:<id>". `command` replaces the image's entry point, `args` its
    command; empty means the image's own.
    """

    name: str
    image: str
    marks: Mapping[str, str]
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    hostname: str = ""
    network: str = "none"
    pid: str = ""
    ipc: str = ""
    mounts: tuple[Mount, ...] = ()
    limits: Limits = Limits()
    security: Security = field(default_factory=Security)
    stdin: bool = False
    stdin_once: bool = False
    """Its input ends with that of the first client that attached. Podman's always does."""
    tty: bool = False

    @property
    def begins_a_pod(self) -> bool:
        """Whether it joins nobody: the sandbox, which is the first of a pod."""
        return not any(one.startswith("container:") for one in (self.network, self.pid, self.ipc))


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as the engine sees it; times in seconds since 1970, 0 if not yet."""

    id: str
    name: str
    image: str
    image_id: str
    marks: Mapping[str, str]
    state: State
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Image:
    """An image on this host."""

    id: str
    names: tuple[str, ...]
    digests: tuple[str, ...] = ()
    size_bytes: int = 0
    user: str = ""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the engine is: name ("docker", "podman"), version, API version, facts and quirks."""

    engine: str
    version: str
    api_version: str
    cgroup_driver: str = ""
    cgroup_version: int = 1
    root_dir: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Which part of a log; times in seconds since 1970."""

    follow: bool = False
    tail_lines: int | None = None
    since: float | None = None
    timestamps: bool = False
    stdout: bool = True
    stderr: bool = True


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Bytes of one stream, "stdout" or "stderr"."""

    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ExecResult:
    """A finished command inside a container."""

    exit_code: int
    output: bytes


class ExecStream(Protocol):
    """The standard streams of a command in a container, or of the container itself.

    One reader and one writer at a time; `close` exactly once, also when cancelled.
    """

    async def read(self) -> LogChunk | None:
        """What it says next; None when nothing more comes."""
        ...

    async def write(self, data: bytes) -> None:
        """Give it input; waits while it does not read; what has ended takes none, silently."""
        ...

    def close_stdin(self) -> None:
        """Its input ends here."""
        ...

    async def resize(self, width: int, height: int) -> None:
        """Set the size of its terminal; what has none ignores it."""
        ...

    async def exit_code(self) -> int:
        """Wait for its end; 0 for a container that was only attached to."""
        ...

    async def close(self) -> None:
        """Let go: a command that still runs is killed, an attached container runs on."""
        ...


class Interactive(Protocol):
    """What an engine offers to people: commands with input, terminals."""

    async def exec_stream(
        self, container_id: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> ExecStream:
        """Run a command; `tty` gives it a terminal, whose stderr comes as stdout."""
        ...

    async def attach_stream(self, container_id: str, *, stdin: bool) -> ExecStream:
        """Join the streams of the container's own process, from now on."""
        ...


class Runtime(Interactive, Protocol):
    """One engine on this host."""

    async def fingerprint(self) -> Fingerprint:
        """Say what the engine is; `Unreachable` if it is not there."""
        ...

    async def create(self, spec: ContainerSpec) -> str:
        """Make a container and return its id; it does not run yet."""
        ...

    async def start(self, container_id: str) -> None:
        """Start a made container."""
        ...

    async def stop(self, container_id: str, grace_s: float) -> None:
        """SIGTERM (or the image's stop signal), wait, SIGKILL; returns when it is dead."""
        ...

    async def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        """Send a signal."""
        ...

    async def remove(self, container_id: str) -> None:
        """Remove a container, running or not, with its anonymous volumes."""
        ...

    async def inspect(self, container_id: str) -> Container:
        """Look at one container."""
        ...

    async def list(self, marks: Mapping[str, str]) -> Sequence[Container]:
        """Find all containers, dead ones too, that carry these marks."""
        ...

    def events(self, marks: Mapping[str, str]) -> AsyncIterator[str]:
        """Yield the id of each marked container that started, died or went."""
        ...

    def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[LogChunk]:
        """Read or follow a container's output."""
        ...

    async def exec(self, container_id: str, argv: Sequence[str], timeout_s: float) -> ExecResult:
        """Run a command to its end; TimeoutError if it takes too long."""
        ...

    async def disk_usage(self, marks: Mapping[str, str]) -> Mapping[str, int]:
        """Bytes that each container with these marks has written outside of mounts, by id. Slow:
        the engine walks folders.
        """
        ...

    async def image(self, name: str) -> Image | None:
        """Find an image by name or id."""
        ...

    async def images(self) -> Sequence[Image]:
        """All images on this host."""
        ...

    async def pull(self, name: str, *, auth: str = "", insecure: bool = False) -> Image:
        """Fetch an image; `auth` is the login as engines take it, `insecure` allows HTTP and any
        certificate where the engine leaves that to its callers (Docker has it in its own file).
        """
        ...

    async def tag(self, name: str, new_name: str) -> None:
        """Give an image another name besides."""
        ...

    async def load(self, archive: bytes | Path) -> None:
        """Import a docker-archive tar; a file is read as it goes."""
        ...

    async def remove_image(self, name: str) -> None:
        """Remove an image that nothing uses."""
        ...

    async def close(self) -> None:
        """Free connections; containers stay."""
        ...
