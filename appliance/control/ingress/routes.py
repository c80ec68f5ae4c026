"""Ingresses → one ordered table of routes. Pure.

The oldest ingress wins where two want the same. A request goes to the routes of its exact host,
else to those of the wildcard that fits, else to those for all hosts; there, to an exact path before
a prefix, and to the longest prefix. Prefixes match whole elements: `/a` is `/a` and `/a/b`, not
`/ab`.
Targets are cluster addresses: which pod answers is the service's choice, and a pod that comes or
goes changes nothing here. Source: kubernetes.io/docs/concepts/services-networking/ingress.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.networking.ingress import Ingress
from appliance.api.kinds.networking.ingress_spec import IngressBackend

HEADLESS = {"", "None"}


@dataclass(frozen=True, slots=True)
class Target:
    """A port of a service; `name` is fit for HAProxy."""

    name: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Route:
    """Requests for this host (lower case; empty: all, `*.x`: one label more) and path."""

    host: str
    path: str
    exact: bool
    target: Target


@dataclass(frozen=True, slots=True)
class Fault:
    """Something of an ingress that cannot be served."""

    ingress: str
    """namespace/name."""
    message: str


@dataclass(slots=True)
class Table:
    """Everything that is served, in the order in which it is looked at."""

    routes: list[Route] = field(default_factory=list)
    hosts_of: dict[str, set[str]] = field(default_factory=dict)
    """Secret (namespace/name) with a certificate → the hosts it is for."""
    faults: list[Fault] = field(default_factory=list)


class _Unserved(Exception):
    """A backend that cannot be had; the message says why."""


def table_of(ingresses: Iterable[Ingress], service: Callable[[str, str], Service | None]) -> Table:
    """Make the table; `service(namespace, name)` finds services."""
    table = Table()
    best: dict[tuple[str, str, bool], Route] = {}
    for ingress in sorted(ingresses, key=_age):
        meta = ingress.metadata
        here = f"{meta.namespace}/{meta.name}"
        for host, path, exact, backend in _wishes(ingress):
            if not path.isprintable():
                table.faults.append(Fault(here, f"path {path!r} holds control characters"))
                continue
            try:
                target = _target(meta.namespace, backend, service)
            except _Unserved as error:
                table.faults.append(Fault(here, str(error)))
                continue
            best.setdefault((host, path, exact), Route(host, path, exact, target))
        for entry in ingress.spec.tls:
            if entry.secretName:
                hosts = table.hosts_of.setdefault(f"{meta.namespace}/{entry.secretName}", set())
                hosts |= {host.lower() for host in entry.hosts}
    table.routes = sorted(best.values(), key=_precedence)
    return table


def _age(ingress: Ingress) -> tuple[str, str, str]:
    meta = ingress.metadata
    return meta.creationTimestamp or "", meta.namespace, meta.name


def _precedence(route: Route) -> tuple[int, str, bool, int, str]:
    """Exact hosts, then wildcards, then all; exact paths, then the longest."""
    wide = 2 if not route.host else 1 if route.host.startswith("*") else 0
    return wide, route.host, not route.exact, -len(route.path), route.path


def _wishes(ingress: Ingress) -> Iterator[tuple[str, str, bool, IngressBackend]]:
    """Host, path, whether exact, and backend, in the order of the manifest."""
    hosts: list[str] = []
    for rule in ingress.spec.rules:
        host = rule.host.lower()
        hosts.append(host)
        for path in rule.http.paths if rule.http else ():
            exact = path.pathType == "Exact"
            plain = path.path or "/"
            yield host, plain if exact else plain.rstrip("/") or "/", exact, path.backend
    if ingress.spec.defaultBackend is not None:
        for host in dict.fromkeys(hosts or [""]):
            yield host, "/", False, ingress.spec.defaultBackend


def _target(
    namespace: str, backend: IngressBackend, find: Callable[[str, str], Service | None]
) -> Target:
    if backend.service is None:
        raise _Unserved("backends that are no services are not served")
    name, wanted = backend.service.name, backend.service.port
    service = find(namespace, name)
    if service is None:
        raise _Unserved(f'there is no service "{name}"')
    address = service.spec.clusterIP or ""
    if address in HEADLESS:
        raise _Unserved(f'service "{name}" has no cluster address: only such can be served')
    for port in service.spec.ports:
        if wanted.name == port.name if wanted.name else wanted.number == port.port:
            return Target(f"{namespace}_{name}_{port.port}", address, port.port)
    raise _Unserved(f'service "{name}" has no port {wanted.name or wanted.number}')
