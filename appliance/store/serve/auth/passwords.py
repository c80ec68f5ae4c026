"""Passwords are kept as scrypt hashes; making or checking one takes some 50 ms, in a thread.

etcd uses bcrypt. What a snapshot carries of our hashes a real etcd cannot check, nor the reverse:
users keep their roles but need new passwords.

Bound: two at a time, so that whoever tries many passwords keeps nobody but others like him
waiting, and 32 MiB.
"""

import asyncio
import hashlib
import hmac
import secrets

_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1  # 16 MiB of memory
_MAX_MEMORY = 64 << 20
_SALT_BYTES = 16
_AT_ONCE = 2
_MARK = b"$scrypt$"


class Passwords:
    """Makes and checks hashes."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def hashed(self, password: str) -> bytes:
        """A hash to keep."""
        salt = secrets.token_bytes(_SALT_BYTES)
        return _MARK + salt + await self._scrypt(password, salt)

    async def matches(self, password: str, kept: bytes) -> bool:
        """Whether the password is the one that was hashed; takes as long if nothing is kept."""
        whole = kept if kept.startswith(_MARK) else _MARK + bytes(_SALT_BYTES)
        salt, digest = whole[len(_MARK) :][:_SALT_BYTES], whole[len(_MARK) + _SALT_BYTES :]
        return hmac.compare_digest(digest, await self._scrypt(password, salt))

    async def _scrypt(self, password: str, salt: bytes) -> bytes:
        async with self._turns:
            return await asyncio.to_thread(_scrypt, password, salt)


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, maxmem=_MAX_MEMORY
    )
