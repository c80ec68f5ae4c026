"""Writes to pods/resize: other amounts for the containers of a pod that runs.

Called through the `POD` kind. Nodes take the amounts at a container's next start.
Source: kubernetes `pkg/registry/core/pod/strategy.go`, ValidatePodResize.
"""

from collections.abc import Iterator

import msgspec

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kinds.core.pod import validate
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.object import Pod
from appliance.api.kinds.core.pod.qos import qos_class

_RESIZABLE = frozenset({"cpu", "memory"})


def prepare_resize(new: Pod, old: Pod) -> None:
    """Of a write to /resize only the amounts count."""
    new.spec = msgspec.structs.replace(
        old.spec,
        containers=_with_amounts(old.spec.containers, new.spec.containers),
        initContainers=_with_amounts(old.spec.initContainers, new.spec.initContainers),
    )
    new.status = old.status
    new.metadata = msgspec.structs.replace(old.metadata, managedFields=new.metadata.managedFields)


def _with_amounts(base: list[Container], amounts: list[Container]) -> list[Container]:
    wanted = {container.name: container for container in amounts}
    return [
        msgspec.structs.replace(
            container,
            resources=wanted[container.name].resources,
            resizePolicy=wanted[container.name].resizePolicy,
        )
        if container.name in wanted
        else container
        for container in base
    ]


def validate_resize(new: Pod, old: Pod) -> list[Cause]:
    """Give every fault of a write to /resize."""
    found = validate.spec(new.spec, "spec")
    if found:
        return found
    before = qos_class(old.spec)
    if qos_class(new.spec) != before:
        why = "Pod QOS Class may not change as a result of resizing"
        return [faults.wrong("spec", before, why)]
    for name in ("containers", "initContainers"):
        pairs = zip(getattr(new.spec, name), getattr(old.spec, name), strict=True)
        for index, (now, was) in enumerate(pairs):
            found += _amounts(now, was, f"spec.{name}[{index}].resources")
    return found


def _amounts(now: Container, was: Container, path: str) -> Iterator[Cause]:
    for word in ("limits", "requests"):
        new, old = getattr(now.resources, word), getattr(was.resources, word)
        changed = {n for n in {*new, *old} if str(new.get(n)) != str(old.get(n))}
        if changed - _RESIZABLE:
            yield faults.forbidden(f"{path}.{word}", "only cpu and memory resources are mutable")
        if gone := sorted(set(old) - set(new)):
            why = f"resource {word} cannot be removed"
            yield faults.forbidden(f"{path}.{word}[{gone[0]}]", why)
