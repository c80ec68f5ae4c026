"""Is there a container engine, and is it new enough?"""

import re

from appliance.host.checks.base import Finding, Level, ok
from appliance.host.checks.facts import Engine, Facts

NAME = "engine"
OLDEST = {"docker": (20, 10), "podman": (4, 0)}


def judge(facts: Facts) -> list[Finding]:
    """Judge the engines that the plan allows."""
    allowed = [e for e in facts.engines if facts.plan.runtime in {"auto", e.kind}]
    answering = [e for e in allowed if not e.fault]
    if not answering:
        return [_none(allowed, facts.plan.runtime)]
    old = [e for e in answering if _numbers(e.version) < OLDEST[e.kind]]
    if old:
        return [_too_old(e) for e in old]
    return ok(NAME, ", ".join(f"{e.kind} {e.version} answers on {e.endpoint}" for e in answering))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _none(allowed: list[Engine], wanted: str) -> Finding:
    seen = "; ".join(f"{e.kind} on {e.endpoint}: {e.fault}" for e in allowed) or "none was found"
    installed = [e.kind for e in allowed if e.installed]
    start = {"docker": "systemctl start docker", "podman": "systemctl start podman.socket"}
    remedy = (
        f"`{start[installed[0]]}`, or let `make up` start it"
        if installed
        else f"`apt install {'podman' if wanted == 'podman' else 'docker.io'}`"
    )
    return Finding(
        check=NAME,
        level=Level.FAIL,
        finding=f"no container engine answers ({seen})",
        why="pods are containers of Docker or Podman",
        remedy=remedy,
    )


def _too_old(engine: Engine) -> Finding:
    oldest = ".".join(str(number) for number in OLDEST[engine.kind])
    return Finding(
        check=NAME,
        level=Level.WARN,
        finding=f"{engine.kind} {engine.version} is older than {oldest}",
        why=f"nothing older than {oldest} has been tried",
        remedy=f"install a newer {engine.kind}",
    )
