"""Pure: all containers of a pod, the ephemeral ones too, in words that the others understand.

An ephemeral container (`kubectl debug`) is put into a pod that runs. It is started once, never
again, has no probes, and says nothing about the pod's phase.
"""

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.container import ContainerFields
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.status import ContainerStatus, PodStatus

_FIELDS = ContainerFields.__struct_fields__


def debuggers(pod: Pod) -> list[ContainerWish]:
    """Ephemeral containers as if they were others."""
    return [
        ContainerWish(**{name: getattr(one, name) for name in _FIELDS})
        for one in pod.spec.ephemeralContainers
    ]


def target_of(pod: Pod, name: str) -> str:
    """The container whose processes an ephemeral container shall see, "" for none."""
    named = (c.targetContainerName for c in pod.spec.ephemeralContainers if c.name == name)
    return next(named, "")


def every_wish(pod: Pod) -> tuple[ContainerWish, ...]:
    """All containers, in the order in which they start."""
    return (*pod.spec.initContainers, *pod.spec.containers, *debuggers(pod))


def every_status(status: PodStatus) -> tuple[ContainerStatus, ...]:
    """What a status says of all of them."""
    return (
        *status.initContainerStatuses,
        *status.containerStatuses,
        *status.ephemeralContainerStatuses,
    )
