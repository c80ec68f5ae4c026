"""Open the engine of this host: the one that was asked for, or the first that answers.

Called once, by assembly. A driver's SDK is imported only when its engine is used: each costs a
quarter of a second and 20 MB.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Literal

from appliance.kit.clock import Clock
from appliance.node.runtimes.base import Runtime, Unreachable

Kind = Literal["docker", "podman"]

DEFAULT_ENDPOINTS: dict[Kind, str] = {
    "docker": "unix:///var/run/docker.sock",
    "podman": "unix:///run/podman/podman.sock",
}
_VARIABLES: dict[Kind, str] = {
    "docker": "APPLIANCE_DOCKER_ENDPOINT",
    "podman": "APPLIANCE_PODMAN_ENDPOINT",
}
_DRIVERS: dict[Kind, tuple[str, str]] = {
    "docker": ("appliance.node.runtimes.docker", "DockerRuntime"),
    "podman": ("appliance.node.runtimes.podman", "PodmanRuntime"),
}


def default_endpoint(kind: Kind) -> str:
    """Where this engine listens: its variable, or the place where distributions put it."""
    return os.environ.get(_VARIABLES[kind]) or DEFAULT_ENDPOINTS[kind]


async def open_runtime(kind: str, endpoint: str, clock: Clock) -> Runtime:
    """Open the driver for `kind` ("auto", "docker" or "podman") at `endpoint` ("": its default).

    With "auto" and an endpoint, a name with "podman" in it means Podman.

    Raises:
        Unreachable: nothing answers; says what was tried and what to do.
    """
    failures = []
    for candidate in _candidates(kind, endpoint):
        runtime = _driver(candidate, endpoint or default_endpoint(candidate), clock)
        try:
            await runtime.fingerprint()
        except Unreachable as error:
            failures.append(str(error))
            await runtime.close()
        else:
            return runtime
    raise Unreachable("; ".join(failures))


def _candidates(kind: str, endpoint: str) -> Sequence[Kind]:
    if kind == "auto" and not endpoint:
        return ["docker", "podman"]
    return ["podman" if "podman" in (endpoint if kind == "auto" else kind) else "docker"]


def _driver(kind: Kind, endpoint: str, clock: Clock) -> Runtime:
    module, name = _DRIVERS[kind]
    made: Runtime = getattr(import_module(module), name)(endpoint, clock)
    return made
