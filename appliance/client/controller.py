"""The `Controller` protocol and the one runner that all loops share.

A controller says what it watches and reconciles one key at a time. The runner has the queue, the
workers, back-off and metrics: a controller has no threads, no queue, no retry and looks at no
event.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from appliance.client.informer import Informer
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Result:
    """`again_in_s`: come back to this key after so many seconds."""

    again_in_s: float | None = None


DONE = Result()


@dataclass(frozen=True, slots=True)
class Watch:
    """A change of any object of `informer` makes the keys that `keys(object)` gives dirty.

    `keys` is asked for the old and for the new state, so that an owner hears of what left it.
    """

    informer: Informer[Any]
    keys: Callable[[Any], Iterable[str]]


class Controller(Protocol):
    """A level-triggered loop: make what is be what is wanted, for one key."""

    @property
    def name(self) -> str:
        """Short name for logs and metrics."""
        ...

    def watches(self) -> Sequence[Watch]:
        """What makes which keys dirty."""
        ...

    async def reconcile(self, key: str) -> Result:
        """Look at everything again and act; an error means again after a pause."""
        ...


class Runner:
    """Feeds a controller from its watches with `workers` at once, never one key twice at once."""

    def __init__(
        self,
        controller: Controller,
        *,
        clock: Clock,
        workers: int = 1,
        backoff: Backoff | None = None,
    ) -> None:
        raise NotImplementedError

    def poke(self, key: str) -> None:
        """Make a key dirty by hand."""
        raise NotImplementedError

    async def run(self) -> None:
        """Wait for the caches, then work until cancelled."""
        raise NotImplementedError
