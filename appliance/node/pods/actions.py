"""What may be done to a pod, as frozen values: made by `plan`, carried out by `execute`.

A batch is carried out in order. `FetchImage`, `StopContainer` and hooks take long: they go on
beside the worker, which looks again when they are done; all others are waited for.
"""

from dataclasses import dataclass

from appliance.api.kinds.core.pod.container import Container as ContainerWish


@dataclass(frozen=True, slots=True)
class SetUpVolumes:
    """Make the pod's folders and fill them."""


@dataclass(frozen=True, slots=True)
class StartSandbox:
    """Make and start the pause container; `attempt` counts sandboxes of this pod."""

    attempt: int


@dataclass(frozen=True, slots=True)
class AttachNetwork:
    """Give the sandbox its address."""

    sandbox_id: str
    pid: int


@dataclass(frozen=True, slots=True)
class DetachNetwork:
    """Take the pod's address back."""


@dataclass(frozen=True, slots=True)
class FetchImage:
    """See that a container's image is here, by its pull policy."""

    wish: ContainerWish


@dataclass(frozen=True, slots=True, kw_only=True)
class StartContainer:
    """Make and start a container in the sandbox."""

    wish: ContainerWish
    role: str
    sandbox_id: str
    attempt: int
    streak: int
    sees: str = ""
    """Id of the container whose processes it shall see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopContainer:
    """Run its preStop hook, ask it to end, kill it after the grace; `why` is for the event."""

    container_id: str
    name: str
    grace_s: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class KillContainer:
    """End it now: its grace is over."""

    container_id: str


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    """Forget a dead container."""

    container_id: str


@dataclass(frozen=True, slots=True)
class TearDown:
    """Remove the pod's folders; nothing of it is left on this node."""


@dataclass(frozen=True, slots=True)
class ConfirmDeletion:
    """Tell the API that the pod may go: the last word about it."""


Action = (
    SetUpVolumes
    | StartSandbox
    | AttachNetwork
    | DetachNetwork
    | FetchImage
    | StartContainer
    | StopContainer
    | KillContainer
    | RemoveContainer
    | TearDown
    | ConfirmDeletion
)
