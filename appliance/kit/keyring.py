"""Values encrypted with AES-GCM under a key of a small ring, bound to the place they lie in.

    sealed:aesgcm:v1:<name of the key>:<12 bytes nonce><ciphertext and 16 bytes tag>

The first key of the ring seals, all of them open; so a key is changed by putting a new one in
front. The place is authenticated with the value: who can write the database can't move a value
to where another reader looks. Called by `control.registry.sealed`.
"""

import base64
import binascii
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MARK = b"sealed:aesgcm:v1:"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class CannotOpen(ValueError):
    """The value was changed, moved, or sealed with a key that is not in the ring."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its name, which stands before each value that it sealed."""

    name: str
    secret: bytes = field(repr=False)


class Ring:
    """Keys; the first one seals."""

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise ValueError("a ring needs a key")
        self._ciphers = {key.name.encode(): AESGCM(key.secret) for key in keys}
        self._first = keys[0].name.encode()

    def seal(self, place: bytes, value: bytes) -> bytes:
        """Encrypt a value for its place."""
        nonce = os.urandom(_NONCE_BYTES)
        head = _MARK + self._first + b":"
        return head + nonce + self._ciphers[self._first].encrypt(nonce, value, place)

    def open(self, place: bytes, value: bytes) -> bytes:
        """Decrypt; what was never sealed comes back as it is.

        Raises:
            CannotOpen: see there.
        """
        if not value.startswith(_MARK):
            return value
        name, _, rest = value[len(_MARK) :].partition(b":")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise CannotOpen(
                f"sealed with the key {name.decode(errors='replace')}, which is missing"
            )
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("the sealed value was changed or moved") from error

    def is_current(self, value: bytes) -> bool:
        """Whether a value is sealed with the first key."""
        return value.startswith(_MARK + self._first + b":")


def new_key(name: str) -> Key:
    """Make a key."""
    return Key(name, os.urandom(_KEY_BYTES))


def write_keys(keys: Sequence[Key]) -> bytes:
    """Write keys as a file: one a line, its name and its secret in base64."""
    return b"".join(b"%b %b\n" % (k.name.encode(), base64.b64encode(k.secret)) for k in keys)


def read_keys(text: str) -> list[Key]:
    """Read such a file.

    Raises:
        ValueError: a line is no key.
    """
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, encoded = line.strip().partition(" ")
        try:
            secret = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            secret = b""
        if not _NAME.fullmatch(name) or len(secret) != _KEY_BYTES:
            raise ValueError(f"line {number}: not a name and {_KEY_BYTES} bytes in base64")
        keys.append(Key(name, secret))
    return keys
