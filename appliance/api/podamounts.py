"""How much a pod asks for and may have, in all. Pure.

Init containers run one after the other, before the others: of them the largest counts; those
that go on (restartPolicy Always) run beside everything that comes after them.
Source: kubernetes `pkg/api/v1/resource`; asked by admission (limits, quotas) and the quota
controller.
"""

from collections.abc import Callable, Iterable, Mapping

from appliance.api import quantity
from appliance.api.kinds.core.pod.container import Container, ResourceRequirements
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.quantity import Amount

Amounts = dict[str, Amount]
_Part = Callable[[ResourceRequirements], Mapping[str, str | float]]


def requests(spec: PodSpec) -> Amounts:
    """What the pod asks for, by resource."""
    return _total(spec, lambda resources: resources.requests)


def limits(spec: PodSpec) -> Amounts:
    """What it may have, by resource; one container without a limit is not seen here."""
    return _total(spec, lambda resources: resources.limits)


def _total(spec: PodSpec, part: _Part) -> Amounts:
    total = _sum(spec.containers or (), part)
    beside: Amounts = {}
    highest: Amounts = {}
    for container in spec.initContainers:
        own = read(part(container.resources))
        if container.restartPolicy == "Always":
            beside = _add(beside, own)
            total = _add(total, own)
            own = beside
        else:
            own = _add(beside, own)
        highest = _most(highest, own)
    return _add(_most(total, highest), read(spec.overhead))


def read(amounts: Mapping[str, str | float]) -> Amounts:
    """Read the quantities of a map."""
    return {name: quantity.read(amount) for name, amount in amounts.items()}


def _sum(containers: Iterable[Container], part: _Part) -> Amounts:
    total: Amounts = {}
    for container in containers:
        total = _add(total, read(part(container.resources)))
    return total


def _add(one: Amounts, other: Amounts) -> Amounts:
    return {
        name: one.get(name, quantity.ZERO) + other.get(name, quantity.ZERO)
        for name in {**one, **other}
    }


def _most(one: Amounts, other: Amounts) -> Amounts:
    return {
        name: max(one.get(name, quantity.ZERO), other.get(name, quantity.ZERO))
        for name in {**one, **other}
    }
