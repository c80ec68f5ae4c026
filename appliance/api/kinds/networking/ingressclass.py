"""IngressClass: a kind of ingress controller that ingresses can ask for."""

from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import NONE, age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, always, nullable


class IngressClassParametersReference(Message):
    """Points to an object with settings."""

    apiGroup: Annotated[str | None, F(1, "Its group.")] = None
    kind: Annotated[str, F(2, "Its kind.", required=True)] = always(str)
    name: Annotated[str, F(3, "Its name.", required=True)] = always(str)
    scope: Annotated[str | None, F(4, "Cluster or Namespace.")] = nullable()
    namespace: Annotated[str | None, F(5, "Its namespace, with scope Namespace.")] = None


class IngressClassSpec(Message):
    """Which controller a class stands for."""

    controller: Annotated[
        str, F(1, "Name of the controller, such as example.com/controller; cannot change.")
    ] = ""
    parameters: Annotated[
        IngressClassParametersReference | None, F(2, "Object with more settings for it.")
    ] = None


class IngressClass(KubeObject):
    """A kind of ingress controller that ingresses can ask for."""

    spec: Annotated[IngressClassSpec, F(2, "What is wanted.")] = always(IngressClassSpec)


DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
CONTROLLER_MAX = 250
SCOPES = ("Cluster", "Namespace")


def _cells(obj: IngressClass, now: float) -> list[Any]:
    return [obj.metadata.name, obj.spec.controller, _parameters(obj), age(obj, now)]


def _parameters(obj: IngressClass) -> str:
    found = obj.spec.parameters
    if found is None:
        return NONE
    group = f".{found.apiGroup}" if found.apiGroup else ""
    return f"{found.kind}{group}/{found.name}"


def _set_defaults(obj: IngressClass) -> None:
    if obj.spec.parameters and obj.spec.parameters.scope is None:
        obj.spec.parameters.scope = "Cluster"


def _validate(obj: IngressClass) -> list[Cause]:
    name = obj.spec.controller
    found = [*_controller(name, "spec.controller")]
    if len(name) > CONTROLLER_MAX:
        found.append(faults.too_long("spec.controller", CONTROLLER_MAX))
    return [*found, *_validate_parameters(obj)]


def _controller(name: str, path: str) -> Iterator[Cause]:
    host, slash, rest = name.partition("/")
    if not name:
        yield faults.required(path)
    elif not slash or not host or not rest:
        yield faults.wrong(path, name, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        yield from checks.named(names.dns_subdomain, host, path)


def _validate_parameters(obj: IngressClass) -> Iterator[Cause]:
    found, path = obj.spec.parameters, "spec.parameters"
    if found is None:
        return
    if found.apiGroup is not None:
        yield from checks.named(names.dns_subdomain, found.apiGroup, f"{path}.apiGroup")
    for name in ("kind", "name"):
        value = getattr(found, name)
        if not value:
            yield faults.required(f"{path}.{name}")
        else:
            yield from checks.named(names.path_segment, value, f"{path}.{name}")
    yield from _scope(found, path)


def _scope(found: IngressClassParametersReference, path: str) -> Iterator[Cause]:
    if found.scope is None:
        yield faults.required(f"{path}.scope")
    elif found.scope not in SCOPES:
        yield faults.unsupported(f"{path}.scope", found.scope, SCOPES)
    elif found.scope == "Namespace":
        if not found.namespace:
            why = "`parameters.scope` is set to 'Namespace'"
            yield faults.required(f"{path}.namespace", why)
        else:
            yield from checks.named(names.dns_label, found.namespace, f"{path}.namespace")
    elif found.namespace is not None:
        why = "`parameters.scope` is set to 'Cluster'"
        yield faults.forbidden(f"{path}.namespace", why)


def _validate_update(new: IngressClass, old: IngressClass) -> list[Cause]:
    fixed = checks.same(new.spec.controller, old.spec.controller, "spec.controller")
    return [*fixed, *_validate_parameters(new)]


INGRESS_CLASS = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    singular="ingressclass",
    namespaced=False,
    type=IngressClass,
    columns=(
        Column("Name", format="name"),
        Column("Controller"),
        Column("Parameters"),
        Column("Age"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
)
