"""gRPC's outcomes: codes, the error that carries one, and what each refusal of the store becomes.

Clients match on the text, so the store's errors carry etcd's own; only the code is added here.

Source: etcd api/v3/rpctypes/error.go; gRPC's PROTOCOL-HTTP2.md.
"""

from enum import IntEnum

from appliance.store import errors
from appliance.store.serve import hpack
from appliance.store.serve.wire import WireError


class Status(IntEnum):
    """gRPC status codes."""

    OK = 0
    CANCELED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Refused(Exception):
    """A call ends with this status."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status


_OF_STORE: dict[type[errors.StoreError], Status] = {
    errors.Compacted: Status.OUT_OF_RANGE,
    errors.FutureRevision: Status.OUT_OF_RANGE,
    errors.LeaseTtlTooLarge: Status.OUT_OF_RANGE,
    errors.LeaseNotFound: Status.NOT_FOUND,
    errors.LeaseExists: Status.FAILED_PRECONDITION,
    errors.NoSpace: Status.RESOURCE_EXHAUSTED,
    errors.PrefixFull: Status.RESOURCE_EXHAUSTED,
    errors.TimedOut: Status.UNAVAILABLE,
    errors.Unavailable: Status.UNAVAILABLE,
    errors.Closed: Status.UNAVAILABLE,
    errors.KeyNotFound: Status.INVALID_ARGUMENT,
    errors.EmptyKey: Status.INVALID_ARGUMENT,
    errors.ValueProvided: Status.INVALID_ARGUMENT,
    errors.LeaseProvided: Status.INVALID_ARGUMENT,
    errors.DuplicateKey: Status.INVALID_ARGUMENT,
    errors.TooManyOps: Status.INVALID_ARGUMENT,
    errors.TooLarge: Status.INVALID_ARGUMENT,
}


def refusal(error: errors.StoreError) -> Refused:
    """The store's refusal as a call's end."""
    return Refused(_OF_STORE.get(type(error), Status.UNKNOWN), str(error))


def ending(error: Exception) -> Refused | None:
    """How a call ends whose handler raised this; None: nobody foresaw it."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, errors.StoreError):
        return refusal(error)
    if isinstance(error, WireError):
        return Refused(Status.INTERNAL, f"grpc: error unmarshalling request: {error}")
    return None


def trailers(status: Status, text: str = "") -> bytes:
    """The header block that ends a call."""
    block = hpack.literal(b"grpc-status", b"%d" % status)
    return block + hpack.literal(b"grpc-message", _percent(text)) if text else block


def _percent(text: str) -> bytes:
    return b"".join(
        bytes([byte]) if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte
        for byte in text.encode()
    )
