"""What the agent and the relay process say to one another: JSON behind four bytes of length.

    → {"version": 1}
    ← {"version": 1, "fronts": {front: plan, …}, "routes": [network, …]}
    → {"open": {front: plan, …}, "close": [front, …], "routes": [network, …]}
    ← {"refused": {front: why, …}}
    → {"stop": true}

`routes` are those that the agent made; the process keeps them in mind for the next agent.
A front is called `tcp 10.43.0.9 80`. They meet at an abstract socket of the network namespace,
where only the same user (and root) is heard.
"""

import json
import struct
from typing import Any

VERSION = 1
"""Raised with every change of the words: a relay process of another version is replaced."""
HEAD = struct.Struct(">I")
MAX_BYTES = 256 * 1024 * 1024
"""Ten thousand services of a hundred endpoints are 25 MB."""

Plan = dict[str, Any]


def meeting_point(cluster_id: str) -> str:
    """The name of the abstract socket."""
    return f"\0appliance-{cluster_id}-relays"


def pack(message: dict[str, Any]) -> bytes:
    """Give a message as bytes."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return HEAD.pack(len(body)) + body


def front_name(protocol: str, address: str, port: int) -> str:
    """How a front is called."""
    return f"{protocol} {address} {port}"


def front_parts(name: str) -> tuple[str, str, int]:
    """Protocol, address and port."""
    protocol, address, port = name.split(" ")
    return protocol, address, int(port)
