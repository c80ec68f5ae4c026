"""Hashes of passwords."""

import asyncio
import threading

import pytest

from appliance.store.serve.auth import passwords
from appliance.store.serve.auth.passwords import Passwords


async def test_only_the_password_itself_matches_and_no_two_hashes_are_alike() -> None:
    made = Passwords()
    one, other = await asyncio.gather(made.hashed("secret"), made.hashed("secret"))
    assert one != other
    assert b"secret" not in one
    assert await made.matches("secret", one)
    assert not await made.matches("Secret", one)


async def test_nothing_matches_what_is_no_hash_of_ours() -> None:
    made = Passwords()
    for kept in (b"", b"$2a$10$abcdefghijklmnopqrstuv", b"$scrypt$", b"$scrypt$" + bytes(16)):
        assert not await made.matches("", kept)


async def test_two_are_worked_out_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, most = threading.Lock(), 0, 0
    go_on = threading.Event()

    def slow(password: str, salt: bytes) -> bytes:
        nonlocal running, most
        del password, salt
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                go_on.set()
        go_on.wait(5)
        with lock:
            running -= 1
        return b"x"

    monkeypatch.setattr(passwords, "_scrypt", slow)
    made = Passwords()
    await asyncio.gather(*(made.matches("x", b"") for _ in range(6)))
    assert most == 2
