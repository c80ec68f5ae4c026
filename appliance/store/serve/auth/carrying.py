"""Users and roles in etcd's form: what a snapshot has in its buckets, from the notes and back.

All of it is carried, and that calls are checked as well: who restores a snapshot must not find an
open door. Only passwords do not fit: etcd's hashes are bcrypt and ours scrypt, each is kept as it
is and can be checked again where it came from.

Source: etcd server/storage/schema/{auth,auth_users,auth_roles}.go.
"""

import struct
from collections.abc import Iterator, Mapping

from appliance.store.serve.auth.book import ROLE_NOTE, STATE_NOTE, USER_NOTE, flags, state_of

AUTH, ROLES, USERS = b"auth", b"authRoles", b"authUsers"
_ENABLED, _REVISION = b"authEnabled", b"authRevision"
_NUMBER = struct.Struct(">Q")

Rows = list[tuple[bytes, bytes]]


def to_buckets(notes: Mapping[str, bytes]) -> dict[bytes, Rows]:
    """Keys and values of each bucket, in order."""
    state = state_of(notes)
    return {
        AUTH: [
            *([(_ENABLED, b"\x01")] if state.enabled else ()),
            (_REVISION, _NUMBER.pack(state.revision)),
        ],
        ROLES: _named(notes, ROLE_NOTE),
        USERS: _named(notes, USER_NOTE),
    }


def to_notes(auth: Mapping[bytes, bytes], roles: Rows, users: Rows) -> Iterator[tuple[str, bytes]]:
    """The notes of what a snapshot's buckets hold; none if it has no users."""
    for name, role in roles:
        yield ROLE_NOTE + name.decode(), role
    for name, user in users:
        yield USER_NOTE + name.decode(), user
    if roles or users:
        revision = _NUMBER.unpack(auth.get(_REVISION, _NUMBER.pack(1)))[0]
        enabled = auth.get(_ENABLED) == b"\x01"
        yield STATE_NOTE, flags(enabled=enabled, revision=revision)


def _named(notes: Mapping[str, bytes], prefix: str) -> Rows:
    found = ((name, data) for name, data in notes.items() if name.startswith(prefix))
    return sorted((name.removeprefix(prefix).encode(), data) for name, data in found)
