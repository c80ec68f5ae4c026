"""What granted ranges cover: compared with keys looked at one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.store.serve.auth.permissions import Access, Granted, is_valid
from appliance.store.serve.messages.auth import Permission

_KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])
_ENDS = st.sampled_from([b"", b"\x00", b"b", b"c", b"d", b"e", b"f"])
_PERMISSIONS = st.builds(
    Permission, permType=st.sampled_from([0, 1, 2]), key=_KEYS, range_end=_ENDS
).filter(is_valid)


def _keys_between(key: bytes, end: bytes) -> set[bytes]:
    """Every key of up to two letters, and one for all that comes later."""
    letters = b"abcdefg"
    universe = {bytes([a]) for a in letters} | {bytes([a, b]) for a in letters for b in b"\x00a"}
    if not end:
        return {key}
    return {one for one in universe if one >= key and (end == b"\x00" or one < end)}


@given(st.lists(_PERMISSIONS, max_size=5), _KEYS, _ENDS)
def test_a_range_is_allowed_if_all_its_keys_are(
    permissions: list[Permission], key: bytes, end: bytes
) -> None:
    if end not in {b"", b"\x00"} and end <= key:
        return  # no key at all: nothing can be read there
    reading = [p for p in permissions if p.permType in {Access.READ, Access.READWRITE}]
    covered = set().union(*(_keys_between(p.key, p.range_end) for p in reading))
    expected = _keys_between(key, end) <= covered
    assert Granted(permissions).allows(Access.READ, key, end) == expected


@pytest.mark.parametrize(
    ("permission", "valid"),
    [
        (Permission(key=b"a"), True),
        (Permission(key=b"a", range_end=b"b"), True),
        (Permission(key=b"b", range_end=b"a"), False),
        (Permission(key=b"a", range_end=b"a"), False),
        (Permission(key=b"\x00", range_end=b"\x00"), True),
        (Permission(key=b"", range_end=b"\x00"), False),
    ],
)
def test_a_permission_has_keys_in_it(permission: Permission, valid: bool) -> None:
    assert is_valid(permission) == valid


def test_neighbours_cover_what_spans_them() -> None:
    granted = Granted([Permission(key=b"a", range_end=b"c"), Permission(key=b"c", range_end=b"e")])
    assert granted.allows(Access.READ, b"b", b"d")
    assert not granted.allows(Access.READ, b"b", b"f")
    assert not granted.allows(Access.WRITE, b"b", b"d")
