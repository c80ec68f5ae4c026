"""Bounds of one endpoint that can be chosen; the defaults are etcd's but for the streams."""

from dataclasses import dataclass

OVERHEAD_BYTES = 512 << 10
"""What a message may have around the request in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may ask for, and how often they are told."""

    max_request_bytes: int = 1_572_864

    max_streams: int = 4_096
    """Calls open at once on a connection. etcd sets no bound; clients wait when it is reached."""

    progress_interval_s: float = 600.0
    """How often an idle watch that asked for it is told the revision."""

    @property
    def max_message_bytes(self) -> int:
        """The largest message, which is also where an answer of a watch is split."""
        return self.max_request_bytes + OVERHEAD_BYTES
