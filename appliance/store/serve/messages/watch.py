"""Messages of the Watch service.

Source: etcd api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto.
"""

from typing import Annotated

from appliance.store.serve.messages.kv import KeyValue, ResponseHeader
from appliance.store.serve.wire import Message


class WatchCreateRequest(Message):
    """Follow [key, range_end)."""

    key: Annotated[bytes, 1] = b""
    range_end: Annotated[bytes, 2] = b""
    start_revision: Annotated[int, 3] = 0
    progress_notify: Annotated[bool, 4] = False
    filters: Annotated[list[int], 5, ("NOPUT", "NODELETE")] = []
    prev_kv: Annotated[bool, 6] = False
    watch_id: Annotated[int, 7] = 0
    fragment: Annotated[bool, 8] = False


class WatchCancelRequest(Message):
    """End one watch of the stream."""

    watch_id: Annotated[int, 1] = 0


class WatchProgressRequest(Message):
    """How far is the stream?"""


class WatchRequest(Message):
    """One of three."""

    create_request: Annotated[WatchCreateRequest | None, 1] = None
    cancel_request: Annotated[WatchCancelRequest | None, 2] = None
    progress_request: Annotated[WatchProgressRequest | None, 3] = None


class Event(Message):
    """A change."""

    type: Annotated[int, 1, ("PUT", "DELETE")] = 0
    kv: Annotated[KeyValue | None, 2] = None
    prev_kv: Annotated[KeyValue | None, 3] = None


class WatchResponse(Message):
    """Events, or what became of a watch."""

    header: Annotated[ResponseHeader | None, 1] = None
    watch_id: Annotated[int, 2] = 0
    created: Annotated[bool, 3] = False
    canceled: Annotated[bool, 4] = False
    compact_revision: Annotated[int, 5] = 0
    cancel_reason: Annotated[str, 6] = ""
    fragment: Annotated[bool, 7] = False
    events: Annotated[list[Event], 11] = []
