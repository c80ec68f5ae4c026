"""Passwords are kept as scrypt hashes; checking takes some 50 ms, in a thread.

etcd uses bcrypt. What a snapshot carries of our hashes a real etcd cannot check: users keep their
roles there but need new passwords.
"""

import asyncio
import hashlib
import hmac
import secrets

_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1  # 16 MiB of memory
_MAX_MEMORY = 64 << 20
_SALT_BYTES = 16
_MARK = b"$scrypt$"


async def hashed(password: str) -> bytes:
    """A hash to keep."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return _MARK + salt + await asyncio.to_thread(_scrypt, password, salt)


async def matches(password: str, kept: bytes) -> bool:
    """Whether the password is the one that was hashed; takes as long for any wrong one."""
    if not kept.startswith(_MARK):
        return False
    salt, digest = kept[len(_MARK) :][:_SALT_BYTES], kept[len(_MARK) + _SALT_BYTES :]
    return hmac.compare_digest(digest, await asyncio.to_thread(_scrypt, password, salt))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, maxmem=_MAX_MEMORY
    )
