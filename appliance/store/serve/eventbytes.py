"""Events as bytes, made once however many watches want them.

All watch streams of a server share one `EventBytes`. It remembers the newest events only: watches
in step ask for the same event within one turn of the loop or a few.
"""

from collections import deque

from appliance.store.base import Event, EventKind
from appliance.store.serve.convert import kv_message
from appliance.store.serve.messages import kv as pb_kv
from appliance.store.serve.messages import watch as pb
from appliance.store.serve.wire import Encoded

_KEPT_EVENTS = 1024
_KEPT_BYTES = 8 << 20

_Id = tuple[int, bytes, EventKind, bool]
"""A revision can write a key and delete it, too."""


class EventBytes:
    """Recent events, encoded."""

    def __init__(self) -> None:
        self._known: dict[_Id, Encoded] = {}
        self._order: deque[_Id] = deque()
        self._bytes = 0

    def of(self, event: Event) -> Encoded:
        """The event as part of a response."""
        kv, kind = event.kv, event.kind
        name = (kv.mod_revision, kv.key, kind, event.prev_kv is not None)
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Encoded(raw=_encode(event))
            self._order.append(name)
            self._bytes += len(found.raw)
            while len(self._order) > _KEPT_EVENTS or self._bytes > _KEPT_BYTES:
                self._bytes -= len(self._known.pop(self._order.popleft()).raw)
        return found


def _encode(event: Event) -> bytes:
    kv = event.kv
    if event.kind is EventKind.DELETE:
        message = pb_kv.KeyValue(key=kv.key, mod_revision=kv.mod_revision)
    else:
        message = kv_message(kv)
    prev_kv = None if event.prev_kv is None else kv_message(event.prev_kv)
    return pb.Event(type=event.kind.value, kv=message, prev_kv=prev_kv).encode()
