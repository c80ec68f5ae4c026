"""Questions and answers as values, and the `Handler` protocol of the chain that answers.

A handler answers or passes on (None): cluster names first, then the cache, then upstream.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class RType(IntEnum):
    """Record types that we know by name."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    TXT = 16
    AAAA = 28
    SRV = 33
    ANY = 255


class RCode(IntEnum):
    """Result codes (RFC 1035, 4.1.1)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the name in lower case with a dot at the end, and the type's number."""

    name: str
    rtype: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `data` is an address, a name, or (priority, weight, port, target) for SRV."""

    name: str
    rtype: RType
    ttl_s: int
    data: str | tuple[int, int, int, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say; `authority_zone` puts that zone's SOA into a negative answer."""

    code: RCode = RCode.NOERROR
    records: tuple[Record, ...] = ()
    extra: tuple[Record, ...] = ()
    authority_zone: str = ""


class Resolver(Protocol):
    """Somebody who can answer a whole packet that is not ours, or None when nobody can."""

    async def resolve(self, packet: bytes, *, tcp: bool) -> bytes | None:
        """Give the answer's bytes with the id of `packet`."""
        ...
