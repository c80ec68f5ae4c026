"""Sealed values open in their place, with a key of the ring, and not otherwise."""

import pytest

from appliance.kit.keyring import CannotOpen, Key, Ring, new_key, read_keys, write_keys

ONE, TWO = new_key("one"), new_key("two")


def test_what_was_sealed_opens_again() -> None:
    ring = Ring([ONE])
    sealed = ring.seal(b"/a", b"word")
    assert b"word" not in sealed
    assert ring.open(b"/a", sealed) == b"word"
    assert ring.seal(b"/a", b"word") != sealed, "no two are alike"
    assert ring.is_current(sealed)


def test_a_new_key_in_front_seals_and_the_old_one_still_opens() -> None:
    old = Ring([ONE]).seal(b"/a", b"word")
    ring = Ring([TWO, ONE])
    assert ring.open(b"/a", old) == b"word"
    assert not ring.is_current(old)
    assert ring.is_current(ring.seal(b"/a", b"word"))
    with pytest.raises(CannotOpen, match="the key one, which is missing"):
        Ring([TWO]).open(b"/a", old)


def test_what_was_never_sealed_is_passed_on() -> None:
    assert Ring([ONE]).open(b"/a", b"{}") == b"{}"
    assert not Ring([ONE]).is_current(b"{}")


def test_changes_moves_and_other_keys_of_the_name_are_noticed() -> None:
    ring = Ring([ONE])
    sealed = ring.seal(b"/a", b"word")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for place, value in ((b"/b", sealed), (b"/a", changed), (b"/a", sealed[:30])):
        with pytest.raises(CannotOpen):
            ring.open(place, value)
    with pytest.raises(CannotOpen):
        Ring([Key("one", TWO.secret)]).open(b"/a", sealed)


def test_keys_are_read_as_they_were_written() -> None:
    assert read_keys("# a comment\n\n" + write_keys([ONE, TWO]).decode()) == [ONE, TWO]
    assert ONE.secret.hex() not in repr(ONE)


@pytest.mark.parametrize("line", ["one", "one AAAA", "a:b " + "A" * 43 + "=", "one !"])
def test_broken_lines_are_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_keys(line)
