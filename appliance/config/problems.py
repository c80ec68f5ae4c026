"""All faults of a configuration at once, each with its key, value, origin and remedy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault."""

    key: str
    value: str
    origin: str
    remedy: str

    def text(self) -> str:
        """One line for people."""
        return f"{self.key} = {self.value!r} (from {self.origin}): {self.remedy}"


class ConfigError(Exception):
    """The configuration can't be used; `problems` lists every fault."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(p.text() for p in problems))
        self.problems = problems
