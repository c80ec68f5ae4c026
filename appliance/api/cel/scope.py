"""What an expression sees while it is worked out: variables, and how much it may still do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.api.cel.values import OutOfBudget


class Run:
    """Counts the steps of one run."""

    __slots__ = ("_left",)

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Take steps.

        Raises:
            OutOfBudget: there are none left.
        """
        self._left -= steps
        if self._left < 0:
            raise OutOfBudget("operation cancelled: actual cost limit exceeded")


@dataclass(frozen=True, slots=True)
class Scope:
    """Variables by name."""

    names: Mapping[str, Any]
    run: Run

    def within(self, names: Mapping[str, Any]) -> "Scope":
        """The scope inside a loop."""
        return Scope({**self.names, **names}, self.run)
