"""What the checks share: a failure, the containers of a pod, and how to name several of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from appliance.api.faults import quoted
from appliance.api.kinds.core.pod.container import Container, EphemeralContainer
from appliance.api.kinds.core.pod.security import PodSecurityContext, SecurityContext
from appliance.api.kinds.core.pod.spec import PodSpec


@dataclass(frozen=True, slots=True)
class Failure:
    """One rule that a pod breaks, and where."""

    reason: str
    detail: str = ""

    def text(self) -> str:
        """`privileged (container "c" must not …)`."""
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Check = Callable[[PodSpec], Iterator[Failure]]


def containers(spec: PodSpec) -> Iterator[Container | EphemeralContainer]:
    """All that run in a pod, those for debugging included: what they may do is the same."""
    yield from spec.initContainers
    yield from spec.containers or ()
    yield from spec.ephemeralContainers


def context(container: Container | EphemeralContainer) -> SecurityContext:
    """The container's security context, empty if it has none."""
    return container.securityContext or SecurityContext()


def pod_context(spec: PodSpec) -> PodSecurityContext:
    """The pod's security context, empty if it has none."""
    return spec.securityContext or PodSecurityContext()


def those(spec: PodSpec, bad: Callable[[SecurityContext], bool]) -> list[str]:
    """Names of the containers whose context is bad."""
    return [c.name for c in containers(spec) if bad(context(c))]


def named(what: str, names: Sequence[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{what}{'s' if len(names) > 1 else ''} {listed(names)}"


def listed(values: Iterable[str]) -> str:
    """`"a", "b"`."""
    return ", ".join(quoted(value) for value in values)


def unique(values: Iterable[str]) -> list[str]:
    """Each value once, sorted."""
    return sorted(set(values))
