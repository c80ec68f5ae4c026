"""Questions and answers as values, and the `Resolver` that knows the names that are not ours.

Cluster names are answered from `zone.py`; all others are handed on as whole packets, so that what
a client asked for (its flags, its EDNS) reaches the server that answers.
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
    OPT = 41
    ANY = 255


class RCode(IntEnum):
    """Result codes (RFC 1035, 4.1.1; BADVERS is one of EDNS, RFC 6891)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


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
    follow: str = ""
    """The records end in an alias to this name, which is not ours: its records belong here, too,
    for stub resolvers (musl's) don't ask again themselves."""
    whole: bool = True
    """Made of the asked name's own records alone; others' may change without it."""


class Resolver(Protocol):
    """Somebody who can answer a whole packet that is not ours."""

    def at_hand(self, packet: bytes, *, tcp: bool) -> bytes | None:
        """The answer's bytes with the id of `packet`, if they are known already."""
        ...

    async def resolve(self, packet: bytes, question: Question, *, tcp: bool) -> bytes | None:
        """The same after asking; None when nobody can answer."""
        ...
