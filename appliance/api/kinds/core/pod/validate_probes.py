"""Probes and life-cycle hooks. Called by the validation of containers."""

from collections.abc import Iterator

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.handlers import (
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    LifecycleHandler,
    Probe,
    ProbeHandler,
    SleepAction,
    TCPSocketAction,
)

KINDS_OF_HANDLER = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
TIMES = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)


def probes(container: Container, grace_s: int, path: str) -> Iterator[Cause]:
    """Check the three probes of a container."""
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe: Probe | None = getattr(container, name)
        if probe is None:
            continue
        here = f"{path}.{name}"
        yield from _probe(probe, grace_s, here)
        if name == "readinessProbe":
            if probe.terminationGracePeriodSeconds is not None:
                yield faults.wrong(
                    f"{here}.terminationGracePeriodSeconds",
                    probe.terminationGracePeriodSeconds,
                    "must not be set for readinessProbes",
                )
        elif probe.successThreshold != 1:
            yield faults.wrong(f"{here}.successThreshold", probe.successThreshold, "must be 1")


def lifecycle(container: Container, grace_s: int, path: str) -> Iterator[Cause]:
    """Check the hooks of a container."""
    hooks = container.lifecycle
    if hooks and hooks.postStart:
        yield from _handler(hooks.postStart, grace_s, f"{path}.lifecycle.postStart")
    if hooks and hooks.preStop:
        yield from _handler(hooks.preStop, grace_s, f"{path}.lifecycle.preStop")


def _probe(probe: Probe, grace_s: int, path: str) -> Iterator[Cause]:
    yield from _handler(probe, grace_s, path)
    for name in TIMES:
        yield from checks.not_negative(getattr(probe, name), f"{path}.{name}")
    own_grace_s = probe.terminationGracePeriodSeconds
    if own_grace_s is not None and own_grace_s <= 0:
        here = f"{path}.terminationGracePeriodSeconds"
        yield faults.wrong(here, own_grace_s, "must be greater than 0")


def _handler(handler: ProbeHandler | LifecycleHandler, grace_s: int, path: str) -> Iterator[Cause]:
    found = [n for n in KINDS_OF_HANDLER if getattr(handler, n, None) is not None]
    if not found:
        yield faults.required(path, "must specify a handler type")
        return
    yield from _action(getattr(handler, found[0]), grace_s, f"{path}.{found[0]}")
    for name in found[1:]:
        yield faults.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")


def _action(
    action: ExecAction | HTTPGetAction | TCPSocketAction | GRPCAction | SleepAction,
    grace_s: int,
    path: str,
) -> Iterator[Cause]:
    match action:
        case ExecAction():
            yield from checks.required(action.command, f"{path}.command")
        case HTTPGetAction():
            yield from _http(action, path)
        case TCPSocketAction():
            yield from checks.port_or_name(action.port, f"{path}.port")
        case GRPCAction():
            yield from checks.port(action.port, path)
        case SleepAction():
            if not 0 <= action.seconds <= grace_s:
                why = (
                    f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"
                )
                yield faults.wrong(path, action.seconds, why)


def _http(call: HTTPGetAction, path: str) -> Iterator[Cause]:
    yield from checks.required(call.path, f"{path}.path")
    yield from checks.port_or_name(call.port, f"{path}.port")
    if call.scheme not in {"HTTP", "HTTPS"}:
        yield faults.unsupported(f"{path}.scheme", call.scheme, ("HTTP", "HTTPS"))
    for header in call.httpHeaders:
        yield from checks.named(names.http_header, header.name, f"{path}.httpHeaders")
