"""Events as bytes, made once however many watches want them.

All watch streams of a server share one `EventBytes`. It remembers the newest events only: watches
in step ask for the same event within one turn of the loop or a few.
"""

from collections import deque

from appliance.store.base import Event, EventKind, WatchBatch
from appliance.store.serve.convert import kv_message
from appliance.store.serve.identity import Identity
from appliance.store.serve.messages import kv as pb_kv
from appliance.store.serve.messages import watch as pb
from appliance.store.serve.wire import Encoded, varint

_KEPT_EVENTS = 1024
_KEPT_BYTES = 8 << 20

_HEADER, _WATCH_ID, _EVENTS = b"\x0a", b"\x10", b"\x5a"  # fields 1, 2 and 11 of WatchResponse

_Id = tuple[int, bytes, bool, bool]
"""A revision can write a key and delete it, too."""


class EventBytes:
    """Recent events, encoded."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._last_events: tuple[Event, ...] = ()
        self._last_bytes = b""
        self._last_revision = 0
        self._last_header = b""
        self._known: dict[_Id, Encoded] = {}
        self._order: deque[_Id] = deque()
        self._bytes = 0

    def of(self, event: Event) -> Encoded:
        """The event as part of a response."""
        kv, kind = event.kv, event.kind
        name = (kv.mod_revision, kv.key, kind is EventKind.PUT, event.prev_kv is not None)
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Encoded(raw=_encode(event))
            self._order.append(name)
            self._bytes += len(found.raw)
            while len(self._order) > _KEPT_EVENTS or self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._known.pop(self._order.popleft()).raw)
        return found

    def response(self, batch: WatchBatch, watch_id: int) -> bytes:
        """A whole response: all but the watch's number is made once for all watches."""
        if batch.events is not self._last_events:
            self._last_events = batch.events
            raw = (self.of(event).raw for event in batch.events)
            self._last_bytes = b"".join(_EVENTS + varint(len(one)) + one for one in raw)
        if batch.revision != self._last_revision:
            self._last_revision = batch.revision
            header = self._identity.header(batch.revision).encode()
            self._last_header = _HEADER + varint(len(header)) + header
        number = _WATCH_ID + varint(watch_id) if watch_id else b""
        return self._last_header + number + self._last_bytes


def _encode(event: Event) -> bytes:
    kv = event.kv
    if event.kind is EventKind.DELETE:
        message = pb_kv.KeyValue(key=kv.key, mod_revision=kv.mod_revision)
    else:
        message = kv_message(kv)
    prev_kv = None if event.prev_kv is None else kv_message(event.prev_kv)
    return pb.Event(type=event.kind.value, kv=message, prev_kv=prev_kv).encode()
