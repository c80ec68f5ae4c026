"""Is a history of calls on one key one that a single register could have given?

The search of Wing and Gong with Lowe's memory: take calls one by one in an order that respects
"ended before the other began", and check each answer against the register. Calls whose end is not
known may have happened at any time after they began, or never.

Used by `test_linearizable`. Histories on different keys are judged apart, because linearizability
is a property of each object.
"""

from collections.abc import Iterable
from dataclasses import dataclass

NEVER = float("inf")


@dataclass(frozen=True)
class Call:
    """One call on a register that holds a value or nothing.

    get       `found` is what it saw
    put       sets `value`
    delete    `found` says what was deleted
    cas       sets `value` if the register holds `expected`; `succeeded` says whether it did
    """

    op: str
    began: float
    ended: float = NEVER
    value: str | None = None
    expected: str | None = None
    found: str | None = None
    succeeded: bool = False

    @property
    def answered(self) -> bool:
        """Whether it is known how it ended."""
        return self.ended != NEVER


_Next = tuple[bool, str | None]


def _step(call: Call, state: str | None) -> _Next:
    """Whether the register in `state` could answer so, and what it then holds."""
    match call.op:
        case "get":
            return state == call.found, state
        case "put":
            return True, call.value
        case "delete":
            return not call.answered or state == call.found, None
        case _:
            happens = state == call.expected
            fits = not call.answered or happens == call.succeeded
            return fits, call.value if happens else state


def linearizable(history: Iterable[Call]) -> bool:
    """Whether there is an order."""
    calls = sorted(history, key=lambda call: call.began)
    answered = sum(1 << n for n, call in enumerate(calls) if call.answered)
    seen: set[tuple[int, str | None]] = set()
    waiting: list[tuple[int, str | None]] = [(0, None)]
    while waiting:
        done, state = waiting.pop()
        if done & answered == answered:
            return True
        for number in _next(calls, done):
            fits, after = _step(calls[number], state)
            place = (done | 1 << number, after)
            if fits and place not in seen:
                seen.add(place)
                waiting.append(place)
    return False


def _next(calls: list[Call], done: int) -> list[int]:
    """Calls that may come next: none that has not been taken had ended before they began."""
    first_end, found = NEVER, []
    for number, call in enumerate(calls):
        if call.began > first_end:
            break
        if not done >> number & 1:
            found.append(number)
            first_end = min(first_end, call.ended)
    return [number for number in found if calls[number].began <= first_end]
