"""Ranges that may be read or written, and whether they cover what is asked. Pure.

An end of b"\\0" is open. A range that is asked for must be covered without a gap by the granted
ones taken together; a single key must lie in one of them.

Source: etcd server/auth/range_perm_cache.go, pkg/adt (an interval tree; a list does here).
"""

from collections.abc import Iterable
from enum import IntEnum

from appliance.store.base import FROM_KEY, NO_END
from appliance.store.serve.messages.auth import Permission


class Access(IntEnum):
    """What is permitted; the numbers are the protocol's."""

    READ = 0
    WRITE = 1
    READWRITE = 2


ROOT_PERMISSION = Permission(permType=Access.READWRITE, key=b"", range_end=b"\x00")
"""How the root role's permission is shown."""

_End = tuple[bool, bytes]  # an open end comes after all others
Span = tuple[bytes, _End]


def is_valid(permission: Permission) -> bool:
    """Whether a permission has a key in it."""
    key, end = permission.key, permission.range_end
    return bool(key) and (end in {NO_END, FROM_KEY} or key < end)


class Granted:
    """Everything that the roles of one user permit."""

    def __init__(self, permissions: Iterable[Permission]) -> None:
        self._spans: dict[Access, list[Span]] = {Access.READ: [], Access.WRITE: []}
        for permission in permissions:
            span = (permission.key, _end(permission.key, permission.range_end))
            for access, spans in self._spans.items():
                if permission.permType in {access, Access.READWRITE}:
                    spans.append(span)
        for spans in self._spans.values():
            spans.sort()

    def allows(self, access: Access, key: bytes, end: bytes) -> bool:
        """Whether [key, end) may be read, or written."""
        asked = _end(key, end)
        if end == NO_END:
            return any(_meet(span, key, asked) for span in self._spans[access])
        return _covers([s for s in self._spans[access] if _meet(s, key, asked)], key, asked)


def _covers(spans: list[Span], key: bytes, end: _End) -> bool:
    """Whether spans, sorted by their beginnings, leave no gap in [key, end)."""
    if not spans or spans[0][0] > key:
        return False
    reached = spans[0][1]
    for begin, until in spans[1:]:
        if (False, begin) > reached:
            break
        reached = max(reached, until)
    return reached >= end


def _meet(span: Span, key: bytes, end: _End) -> bool:
    """Whether they have a key in common; one that ends before it begins meets where it begins."""
    before = key < span[0] and end <= (False, span[0])
    return not before and (False, key) < span[1]


def _end(key: bytes, end: bytes) -> _End:
    if end == FROM_KEY:
        return True, b""
    return False, (key + b"\x00" if end == NO_END else end)
