"""What a rolling update is asked to do, what it sees, and what it may do next: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.replicationcontroller import ReplicationController


class RollingFault(Exception):
    """The update can't go on; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One of `controller`, `image` and `rollback` says what to do with `old`."""

    namespace: str
    old: str
    new: str = ""
    """Name of the new controller; "" is found from the others."""
    controller: ReplicationController | None = None
    image: str = ""
    container: str = ""
    pull_policy: str = ""
    label_key: str = "deployment"
    rollback: bool = False

    @property
    def keeps_name(self) -> bool:
        """Whether the result bears the old name, the new controller being temporary."""
        return bool(self.image) and not self.new


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What there is now; pods are those that either controller could mean."""

    old: ReplicationController | None = None
    new: ReplicationController | None = None
    pods: tuple[Pod, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do but to look again."""

    why: str


@dataclass(frozen=True, slots=True)
class Create:
    """Store the new controller."""

    controller: ReplicationController
    says: str


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge `body` into a controller."""

    controller: ReplicationController
    body: Mapping[str, object] = field(compare=False)
    says: str = ""
    after_pause: bool = False
    """Takes pods that serve away: only when the new ones have lasted the update period."""
    last: bool = False


@dataclass(frozen=True, slots=True)
class LabelPods:
    """Give pods the deployment label."""

    pods: tuple[Pod, ...]
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Write a whole controller over the one of its name."""

    controller: ReplicationController
    says: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a controller; its pods stay."""

    controller: ReplicationController
    says: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """It can't be done."""

    why: str


Action = Wait | Create | Patch | LabelPods | Replace | Delete | Refuse
