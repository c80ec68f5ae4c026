"""Tokens: what a client shows instead of its password.

Two makers: `SimpleTokens`, random strings remembered for a while, and `jwt.SignedTokens`. A
token of ours says who it is; a signed one also of which auth revision.
"""

import itertools
import random
import string
from dataclasses import dataclass
from typing import Protocol

from appliance.kit.clock import Clock

DEFAULT_TTL_S = 300.0
"""etcd's --auth-token-ttl."""
_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Who:
    """A user, as known at an auth revision; revision 0: nobody."""

    name: str = ""
    revision: int = 0


class TokenMaker(Protocol):
    """A maker of tokens."""

    def assign(self, name: str, revision: int) -> str:
        """A new token for a user.

        Raises:
            AuthRefused: this maker can only check.
        """
        ...

    def who(self, token: str, revision: int) -> Who | None:
        """Whose token it is; None if it is none, or no more."""
        ...

    def forget(self, name: str) -> None:
        """The tokens of a user count no more."""
        ...

    def forget_all(self) -> None:
        """No token counts any more."""
        ...


class SimpleTokens:
    """Random tokens in memory; each use makes one last longer.

    Bounded: those that are out of date go whenever a new one is made.
    """

    def __init__(self, clock: Clock, ttl_s: float = DEFAULT_TTL_S) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._rng = random.SystemRandom()
        self._numbers = itertools.count(1)
        self._tokens: dict[str, tuple[str, float]] = {}

    def assign(self, name: str, revision: int) -> str:
        """A new token."""
        del revision
        now = self._clock.monotonic()
        self._tokens = {token: one for token, one in self._tokens.items() if one[1] > now}
        letters = "".join(self._rng.choices(string.ascii_letters, k=_LENGTH))
        token = f"{letters}.{next(self._numbers)}"
        self._tokens[token] = (name, now + self._ttl_s)
        return token

    def who(self, token: str, revision: int) -> Who | None:
        """Whose token it is."""
        now = self._clock.monotonic()
        name, until = self._tokens.get(token, ("", 0.0))
        if until <= now:
            self._tokens.pop(token, None)
            return None
        self._tokens[token] = (name, now + self._ttl_s)
        return Who(name, revision)

    def forget(self, name: str) -> None:
        """The user is gone or has a new password."""
        self._tokens = {token: one for token, one in self._tokens.items() if one[0] != name}

    def forget_all(self) -> None:
        """Checks are off."""
        self._tokens.clear()
