"""What every check is: a name and a pure judgement of facts, each in a file of its own.

A check always says something, also that all is well, so that a report shows what was looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance.host.checks.facts import Facts


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """Works, but may surprise."""
    FAIL = "fail"
    """Something of the cluster will not work."""
    UNKNOWN = "unknown"
    """It could not be found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found."""

    check: str
    level: Level
    finding: str
    why: str = ""
    remedy: str = ""


Judge = Callable[[Facts], Sequence[Finding]]


def ok(check: str, finding: str) -> list[Finding]:
    """All is well."""
    return [Finding(check=check, level=Level.OK, finding=finding)]


def unknown(check: str, finding: str, remedy: str) -> list[Finding]:
    """It can't be told."""
    return [Finding(check=check, level=Level.UNKNOWN, finding=finding, remedy=remedy)]
