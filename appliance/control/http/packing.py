"""gzip for large answers over a network.

On the host itself a byte costs nothing and packing it does, so clients there get theirs as it is.
Called by `exchange`; packs beside the event loop. Source of the bound: apiserver
`endpoints/handlers/responsewriters`.
"""

import asyncio
import gzip
import ipaddress
from collections.abc import Mapping
from typing import Any

LEAST_BYTES = 128 * 1024
LEVEL = 1
"""Lists shrink to a tenth at the fastest level; better ones take twice the time for little."""
HEADERS = ((b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding"))


def is_worthwhile(scope: Mapping[str, Any], accepted: str, size: int) -> bool:
    """Whether an answer of so many bytes should be packed for this client."""
    if size < LEAST_BYTES or scope.get("method") != "GET":
        return False
    codings = [part.strip().partition(";") for part in accepted.lower().split(",")]
    if not any(
        name == "gzip" and rest.replace(" ", "") not in {"q=0", "q=0.0"}
        for name, _, rest in codings
    ):
        return False
    return not _is_here(scope.get("client"))


def _is_here(client: Any) -> bool:
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except (TypeError, ValueError, IndexError):
        return False


async def pack(body: bytes) -> bytes:
    """Pack an answer, in a thread: it takes 10 ms for a megabyte."""
    return await asyncio.to_thread(gzip.compress, body, LEVEL, mtime=0)
