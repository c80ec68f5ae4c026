"""Which netlink messages tell of a loss: kind, table and who did it."""

import struct

import pytest

from appliance.kit.nftwatch import loses

DELTABLE, DELRULE, NEWRULE, DELSETELEM = 2, 8, 6, 14


def message(kind: int, table: str, *, port: int = 77, subsystem: int = 10) -> bytes:
    name = table.encode() + b"\0"
    attribute = struct.pack("=HH", 4 + len(name), 1) + name
    other = struct.pack("=HHI", 8, 2, 0)
    body = b"\x02\0\0\0" + other + attribute
    body += b"\0" * (-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), subsystem << 8 | kind, 0, 1, port) + body


@pytest.mark.parametrize("kind", [DELTABLE, DELRULE, DELSETELEM])
def test_what_is_taken_from_our_table_is_a_loss(kind: int) -> None:
    assert loses(message(NEWRULE, "ours") + message(kind, "ours"), "ours")


@pytest.mark.parametrize(
    "heard",
    [
        message(DELRULE, "theirs"),
        message(NEWRULE, "ours"),
        message(DELSETELEM, "ours", port=0),
        message(DELRULE, "ours", subsystem=1),
        b"",
        b"\0" * 40,
        message(DELRULE, "ours")[:18],
    ],
    ids=["another table", "added", "timed out", "not nftables", "nothing", "zeros", "cut"],
)
def test_anything_else_is_none(heard: bytes) -> None:
    assert not loses(heard, "ours")
