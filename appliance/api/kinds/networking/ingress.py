"""Ingress: leads HTTP requests from outside to services."""

from collections.abc import Iterator
from typing import Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import NONE, age
from appliance.api.kinds.networking.ingress_spec import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressStatus,
    IngressTLS,
)

__all__ = ["INGRESS", "Ingress"]

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
FORBIDDEN_PARTS = ("//", "/./", "/../", "%2f", "%2F")
FORBIDDEN_ENDS = ("/..", "/.")
_HOSTS_SHOWN = 3


def _cells(obj: Ingress, now: float) -> list[Any]:
    spec = obj.spec
    return [
        obj.metadata.name,
        spec.ingressClassName or NONE,
        _hosts(obj),
        _address(obj.status),
        "80, 443" if spec.tls else "80",
        age(obj, now),
    ]


def _hosts(obj: Ingress) -> str:
    hosts = [rule.host or "*" for rule in obj.spec.rules]
    listed = list(dict.fromkeys(hosts))
    if not listed:
        return "*"
    shown = ",".join(listed[:_HOSTS_SHOWN])
    return (
        shown if len(listed) <= _HOSTS_SHOWN else f"{shown} + {len(listed) - _HOSTS_SHOWN} more..."
    )


def _address(status: IngressStatus) -> str:
    return ",".join(p.ip or p.hostname for p in status.loadBalancer.ingress if p.ip or p.hostname)


def _prepare_create(obj: Ingress) -> None:
    obj.status = IngressStatus()


def _spec(spec: IngressSpec) -> list[Cause]:
    found: list[Cause] = []
    if not spec.rules and spec.defaultBackend is None:
        why = "either `defaultBackend` or `rules` must be specified"
        found.append(faults.wrong("spec", None, why))
    if spec.defaultBackend:
        found += _backend(spec.defaultBackend, "spec.defaultBackend")
    for index, rule in enumerate(spec.rules):
        found += _rule(rule, f"spec.rules[{index}]")
    for index, entry in enumerate(spec.tls):
        found += _tls(entry, f"spec.tls[{index}]")
    if spec.ingressClassName is not None:
        found += checks.named(names.dns_subdomain, spec.ingressClassName, "spec.ingressClassName")
    return found


def _tls(entry: IngressTLS, path: str) -> Iterator[Cause]:
    for index, host in enumerate(entry.hosts):
        yield from _host(host, f"{path}.hosts[{index}]")
    if entry.secretName:
        yield from checks.named(names.dns_subdomain, entry.secretName, f"{path}.secretName")


def _host(host: str, path: str) -> Iterator[Cause]:
    check = names.dns_wildcard if "*" in host else names.dns_subdomain
    yield from checks.named(check, host, path)


def _rule(rule: IngressRule, path: str) -> Iterator[Cause]:
    if rule.host:
        if _is_address(rule.host):
            yield faults.wrong(f"{path}.host", rule.host, "must be a DNS name, not an IP address")
        yield from _host(rule.host, f"{path}.host")
    if rule.http is None:
        return
    here = f"{path}.http.paths"
    yield from checks.required(rule.http.paths, here)
    for index, entry in enumerate(rule.http.paths):
        yield from _path(entry, f"{here}[{index}]")


def _is_address(host: str) -> bool:
    return not list(checks.ip(host, ""))


def _path(entry: HTTPIngressPath, path: str) -> Iterator[Cause]:
    kind, here = entry.pathType, f"{path}.path"
    if kind is None:
        yield faults.required(f"{path}.pathType", "pathType must be specified")
    elif kind not in PATH_TYPES:
        yield faults.unsupported(f"{path}.pathType", kind, PATH_TYPES)
    elif kind == "ImplementationSpecific":
        if entry.path and not entry.path.startswith("/"):
            yield faults.wrong(here, entry.path, "must be an absolute path")
    else:
        if not entry.path.startswith("/"):
            yield faults.wrong(here, entry.path, "must be an absolute path")
        for part in FORBIDDEN_PARTS:
            if part in entry.path:
                yield faults.wrong(here, entry.path, f"must not contain '{part}'")
        for end in FORBIDDEN_ENDS:
            if entry.path.endswith(end):
                yield faults.wrong(here, entry.path, f"cannot end with '{end}'")
    yield from _backend(entry.backend, f"{path}.backend")


def _backend(found: IngressBackend, path: str) -> Iterator[Cause]:
    if found.resource and found.service:
        why = "cannot set both resource and service backends"
        yield faults.wrong(path, "", why)
    elif found.resource:
        yield from checks.required(found.resource.kind, f"{path}.resource.kind")
        yield from checks.required(found.resource.name, f"{path}.resource.name")
    elif found.service:
        yield from _service(found.service, path)
    else:
        yield faults.wrong(path, "", "resource or service backend is required")


def _service(found: IngressServiceBackend, path: str) -> Iterator[Cause]:
    if not found.name:
        yield faults.required(f"{path}.service.name")
    else:
        yield from checks.named(names.dns_label, found.name, f"{path}.service.name")
    port = found.port
    if port.name and port.number:
        yield faults.wrong(path, "", "cannot set both port name & port number")
    elif port.name:
        yield from checks.named(names.port_name, port.name, f"{path}.service.port.name")
    elif port.number:
        yield from checks.port(port.number, f"{path}.service.port.number")
    else:
        yield faults.required(path, "port name or number is required")


def _validate_create(obj: Ingress) -> list[Cause]:
    found = _spec(obj.spec)
    if CLASS_ANNOTATION in obj.metadata.annotations and obj.spec.ingressClassName is not None:
        here, why = (
            f"metadata.annotations.{CLASS_ANNOTATION}",
            "can not be set when the class field is also set",
        )
        found.append(faults.wrong(here, obj.metadata.annotations[CLASS_ANNOTATION], why))
    return found


def _validate_update(new: Ingress, _old: Ingress) -> list[Cause]:
    return _spec(new.spec)


def _warn(obj: Ingress) -> list[str]:
    if CLASS_ANNOTATION not in obj.metadata.annotations:
        return []
    return [
        f'annotation "{CLASS_ANNOTATION}" is deprecated,'
        " please use 'spec.ingressClassName' instead"
    ]


INGRESS = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    singular="ingress",
    namespaced=True,
    type=Ingress,
    short_names=("ing",),
    storage_path="ingress",
    subresources=(Subresource(name="status", verbs=("get", "patch", "update"), kind="Ingress"),),
    columns=(
        Column("Name", format="name"),
        Column("Class"),
        Column("Hosts"),
        Column("Address"),
        Column("Ports"),
        Column("Age"),
    ),
    cells=_cells,
    prepare_create=_prepare_create,
    validate=_validate_create,
    validate_update=_validate_update,
    warn=_warn,
)
