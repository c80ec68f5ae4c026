"""What the pure functions look at: the wanted pod, the seen containers, the worker's memory.

The worker makes a `View` before each decision; `plan` and `status` only read it.
The memory is what can't be seen from outside: it lives as long as the worker, is rebuilt from
nothing after an agent restart, and is bounded by the number of containers of the pod.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.status import ContainerStatus, PodStatus
from appliance.node.pods.everyone import every_status
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, State

DEFAULT_GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something did not work; it is tried again at `retry_at` (seconds since 1970)."""

    reason: str
    message: str
    failures: int
    at: float
    retry_at: float


@dataclass(frozen=True, slots=True)
class ImageReady:
    """The image is here, with this id; `user` is whom it names for its processes."""

    image_id: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class ImageUnderway:
    """It is being fetched."""


ImageState = ImageReady | ImageUnderway | Fault


class Hook(Enum):
    """How the postStart hook of a container fares; none or done is no entry at all."""

    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes of one container say; None: not known yet or no such probe.

    `started` and `live` False mean: kill it.
    """

    started: bool | None = None
    live: bool | None = None
    ready: bool | None = None


@dataclass(slots=True)
class Memory:
    """What a worker remembers between two looks."""

    last: PodStatus = field(default_factory=PodStatus)
    """The status that was last made (or that the API had when the worker began)."""
    address: str = ""
    """The pod's address; "" until attached."""
    volumes_ready: bool = False
    images: dict[str, ImageState] = field(default_factory=dict)
    """By container name, from the wish to start it until it is started."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """By container name, or SANDBOX_NAME for all that comes before containers."""
    stopping: dict[str, float] = field(default_factory=dict)
    """By container id: when its grace ends."""
    hooks: dict[str, Hook] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    """By container id."""
    grace_s: float | None = None
    """The most that a pod gets to end which is put out."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The pod has to go: within `grace_s` from `since`; `confirm` the API afterwards."""

    since: float
    grace_s: float
    confirm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at a pod."""

    pod: Pod
    memory: Memory
    ending: Ending | None = None
    sandboxes: tuple[Container, ...] = ()
    """Newest first."""
    containers: Mapping[str, tuple[Container, ...]] = field(default_factory=dict)
    """By container name, newest first."""
    messages: Mapping[str, str] = field(default_factory=dict)
    """Termination messages by container id."""
    dead_kept: int = 1
    """How many dead containers of a name stay."""

    @property
    def sandbox(self) -> Container | None:
        """The newest sandbox if it runs."""
        newest = self.sandboxes[0] if self.sandboxes else None
        return newest if newest is not None and newest.state is State.RUNNING else None

    def newest(self, name: str) -> Container | None:
        """The newest container of that name, running or dead."""
        found = self.containers.get(name, ())
        return found[0] if found else None

    def all_containers(self) -> Iterable[Container]:
        """Every container but the sandboxes."""
        for group in self.containers.values():
            yield from group

    def running(self) -> list[Container]:
        """Those that run, but the sandboxes."""
        return [c for c in self.all_containers() if c.state is State.RUNNING]

    def last_of(self, name: str) -> ContainerStatus | None:
        """What the last status said about a container."""
        return next((s for s in every_status(self.memory.last) if s.name == name), None)

    def health(self, container: Container) -> Health:
        """What its probes say."""
        return self.memory.health.get(container.id, Health())


def sort_out(
    seen: Sequence[Container],
) -> tuple[tuple[Container, ...], dict[str, tuple[Container, ...]]]:
    """Sandboxes and containers by name out of all that carries the pod's uid, newest first."""
    sandboxes: list[Container] = []
    groups: dict[str, list[Container]] = {}
    for container in sorted(seen, key=_age):
        if container.marks.get(marks.ROLE) == marks.ROLE_SANDBOX:
            sandboxes.append(container)
        else:
            groups.setdefault(container.marks.get(marks.CONTAINER_NAME, ""), []).append(container)
    return tuple(sandboxes), {name: tuple(group) for name, group in groups.items()}


def _age(container: Container) -> tuple[int, float]:
    return -marks.restart_count(container.marks), -container.created_at


def wish_hash(wish: ContainerWish) -> str:
    """Hash of what may not change in place: the name and the image, as today's kubelets hash.

    Anything else of a running pod can't be changed through the API, and a wider hash would
    restart every container when a new version of ours knows one more default.
    """
    return hashlib.sha256(f"{wish.name}\0{wish.image}".encode()).hexdigest()[:16]


def is_sidecar(wish: ContainerWish) -> bool:
    """An init container that runs beside the others."""
    return wish.restartPolicy == "Always"


def grace_of(pod: Pod) -> float:
    """Seconds that the pod gets to stop."""
    for seconds in (
        pod.metadata.deletionGracePeriodSeconds,
        pod.spec.terminationGracePeriodSeconds,
    ):
        if seconds is not None:
            return float(max(0, seconds))
    return DEFAULT_GRACE_S
