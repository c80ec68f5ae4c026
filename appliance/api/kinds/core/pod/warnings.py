"""What works in a pod but should not be used. Called through the `POD` kind.

Source: kubernetes `pkg/api/pod/warnings.go`.
"""

from collections.abc import Iterator

from appliance.api import names, quantity
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.object import Pod
from appliance.api.kinds.core.pod.spec import PodSpec

OLD_NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": (
        'deprecated since v1.17; use "topology.kubernetes.io/region" instead'
    ),
    "failure-domain.beta.kubernetes.io/zone": (
        'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'
    ),
    "beta.kubernetes.io/instance-type": (
        'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'
    ),
}
BYTES = ("memory", "ephemeral-storage")


def warn(obj: Pod) -> list[str]:
    """Name what a pod's author should look at again."""
    found = []
    if not obj.spec.hostname and not obj.spec.hostNetwork and _not_a_label(obj.metadata.name):
        found.append(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising"
            f" behavior; a DNS label is recommended: [{_not_a_label(obj.metadata.name)}]"
        )
    return [*found, *warn_spec(obj.spec, "spec")]


def _not_a_label(name: str) -> str:
    if "." in name:
        return "must not contain dots"
    return " ".join(names.dns_label(name))


def warn_spec(spec: PodSpec, path: str) -> Iterator[str]:
    """Name what the author of a pod spec should look at again."""
    for key in sorted(spec.nodeSelector):
        if key in OLD_NODE_LABELS:
            yield f"{path}.nodeSelector[{key}]: {OLD_NODE_LABELS[key]}"
    for index, each in enumerate(spec.topologySpreadConstraints):
        if each.labelSelector is None:
            here = f"{path}.topologySpreadConstraints[{index}].labelSelector"
            yield f"{here}: a null labelSelector results in matching no pod"
    for index, secret in enumerate(spec.imagePullSecrets):
        if not secret.name:
            yield f'{path}.imagePullSecrets[{index}].name: invalid empty name ""'
    grace_s = spec.terminationGracePeriodSeconds
    if grace_s is not None and grace_s < 0:
        yield (
            f"{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid"
            " and will be treated as 1"
        )
    for name in ("initContainers", "containers"):
        for index, container in enumerate(getattr(spec, name)):
            yield from _container(container, f"{path}.{name}[{index}]")


def _container(container: Container, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, variable in enumerate(container.env):
        if variable.name in seen:
            yield (
                f'{path}.env[{index}]: hides previous definition of "{variable.name}",'
                " which may be dropped when using apply"
            )
        seen.add(variable.name)
    places: dict[tuple[int, str, int, str], int] = {}
    for index, port in enumerate(container.ports):
        place = (port.containerPort, port.protocol, port.hostPort, port.hostIP)
        first = places.setdefault(place, index)
        if first != index:
            yield (f"{path}.ports[{index}]: duplicate port definition with {path}.ports[{first}]")
    for side in ("limits", "requests"):
        amounts = getattr(container.resources, side)
        for name in BYTES:
            if name in amounts and quantity.read(amounts[name]).value.denominator != 1:
                yield (
                    f"{path}.resources.{side}[{name}]: fractional byte value"
                    f' "{amounts[name]}" is invalid, must be an integer'
                )
